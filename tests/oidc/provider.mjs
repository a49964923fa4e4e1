// A real OpenID Connect provider for the tests of signing in. Prints its address when it listens.
// Whoever signs in is who they say (any password); groups come from GROUPS, a JSON object of account to list.
import { Provider } from "oidc-provider";

const issuer = `http://127.0.0.1:${process.env.PORT}`;
const groups = JSON.parse(process.env.GROUPS ?? "{}");
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "signoff",
      client_secret: process.env.CLIENT_SECRET,
      redirect_uris: [process.env.REDIRECT_URI],
      response_types: ["code"],
      grant_types: ["authorization_code"],
    },
  ],
  claims: { openid: ["sub"], profile: ["preferred_username"], email: ["email", "email_verified"], groups: ["groups"] },
  scopes: ["openid", "profile", "email", "groups"],
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  cookies: { keys: ["only for tests"] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({
      sub: `id-of-${id}`,
      preferred_username: id,
      email: `${id}@example.org`,
      email_verified: true,
      groups: groups[id] ?? [],
    }),
  }),
});
provider.listen(Number(process.env.PORT), "127.0.0.1", () => console.log(issuer));
