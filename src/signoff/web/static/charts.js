// Draws every [data-spec] with Vega-Lite, in the page's colours, without eval. Loaded by app.js where there is a chart.
(() => {
  const here = document.currentScript.src.replace(/[^/]*$/, "vendor/");
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // The names of styles in the specifications (see signoff.evaluation.pictures.look), in the colours of the theme.
  function config(width) {
    const ink = css("--tblr-secondary"), strong = css("--tblr-body-color"), grid = css("--tblr-border-color");
    const candidate = css("--candidate"), champion = css("--champion"), warning = css("--ink-orange");
    const axis = { labelColor: ink, titleColor: ink, gridColor: grid, tickColor: grid, domain: false, titleFontWeight: 500, labelFontSize: 11, titleFontSize: 11, tickCount: 5, labelLimit: 160, titleLimit: Math.max(140, width - 60) };
    const legend = { labelColor: ink, titleColor: ink, labelFontSize: 12, labelLimit: 220, symbolStrokeWidth: 2.5, layout: { top: { direction: "vertical", anchor: "start", margin: 2 } } };
    const style = {
      candidate: { color: candidate }, champion: { color: champion }, counts: { color: champion, opacity: 0.35 },
      reference: { color: champion, strokeWidth: 1, strokeDash: [4, 4] }, limit: { color: warning, strokeWidth: 1.5, strokeDash: [6, 3] },
      "cell-text": { color: strong, fontSize: 15, fontWeight: 600 }, "cell-note": { color: strong, fontSize: 11 },
    };
    return { background: "transparent", font: "Inter Variable, sans-serif", view: { stroke: null }, axis, legend, style, title: { color: strong },
      range: { category: [candidate, champion, warning], heatmap: [css("--heat-low"), css("--heat-high")] } };
  }
  async function draw() {
    const plain = { ast: true, expr: vegaInterpreter, renderer: "svg", actions: false, defaultStyle: false };
    for (const element of document.querySelectorAll("[data-spec]")) {
      try {
        await vegaEmbed(element, element.dataset.spec, { ...plain, config: config(element.clientWidth), tooltip: { disableDefaultStyle: true } });
        element.dataset.drawn = "yes";
      } catch (error) {
        element.dataset.drawn = "no";
        element.textContent = "This chart could not be drawn; its numbers are in the table.";
        console.warn(error);
      }
    }
    document.body.dataset.drawn = "yes";
  }
  (async () => {
    for (const name of ["vega.min.js", "vega-lite.min.js", "vega-embed.min.js", "vega-interpreter.js"]) await load(here + name);
    await draw();
    document.addEventListener("theme", draw);
    document.addEventListener("live:swap", draw);
  })();
})();
