/** Valid and invalid certificates, and servers that use them. */

import type { ConnectOptions, ServeOptions, SocketFunction, TcpAddr } from "../../mod.ts";
import { certificate } from "./certificates.ts";
import type { Certificate } from "./certificates.ts";
import { echo, serving } from "./server.ts";
import type { Served } from "./server.ts";

const HOUR = 60 * 60 * 1000;
/** The authority that `trust` trusts. */
export const ca: Certificate = certificate({ subject: "Test CA" });
/** An authority that signs nothing. */
export const otherCa: Certificate = certificate({ subject: "Other CA" });
const names = ["localhost", "127.0.0.1"];
/** A certificate for this host. */
export const good: Certificate = certificate({ subject: "good", names, issuer: ca });
/** A certificate for another name. */
export const elsewhere: Certificate = certificate({
  subject: "localhost",
  names: ["elsewhere.test"],
  issuer: ca,
});
/** A certificate whose common name is this host, without alternative names. */
export const commonNameOnly: Certificate = certificate({
  subject: "localhost",
  names: [],
  issuer: ca,
});
/** An expired certificate. */
export const expired: Certificate = certificate({
  subject: "expired",
  names,
  issuer: ca,
  notAfter: new Date(Date.now() - HOUR),
});
/** A certificate that is not valid yet. */
export const future: Certificate = certificate({
  subject: "future",
  names,
  issuer: ca,
  notBefore: new Date(Date.now() + HOUR),
});
/** A self-signed certificate. */
export const selfSigned: Certificate = certificate({ subject: "self", names });

/** Serves over TLS; the URL is `wss:` with an address. */
export function servingTls(
  handler: SocketFunction = echo,
  { cert, key } = good,
  options: ServeOptions = {},
): Served<unknown> & { port: number } {
  const served = serving(handler, { tls: { cert, key }, ...options });
  const { port } = served.server.addr as TcpAddr;
  return { ...served, port, url: `wss://127.0.0.1:${port}/` };
}

/** Options with which a client trusts `ca`. */
export const trust: ConnectOptions = { tls: { caCerts: [ca.cert] } };
