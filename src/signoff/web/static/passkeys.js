// A form with data-passkey asks the device before it is sent: "get" for an answer, "create" for a new passkey.
for (const form of document.querySelectorAll("form[data-passkey]")) {
  const problem = form.querySelector("[data-passkey-problem]");
  async function ask() {
    const options = JSON.parse(form.dataset.options);
    if (form.dataset.passkey === "create")
      return navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) });
    return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.hidden = true;
    try {
      form.elements.credential.value = JSON.stringify((await ask()).toJSON());
      form.submit();
    } catch (error) {
      const here = location.hostname === JSON.parse(form.dataset.options).rpId;
      problem.textContent = here || form.dataset.passkey === "create" ? `The passkey did not answer (${error.name}). Try again.` : "Passkeys belong to the server's own name: open this page by its address.";
      problem.hidden = false;
    }
  });
}
