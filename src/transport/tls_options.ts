import { checkNames } from "./options.ts";
import type { ClientTls, ServerTls } from "./transport.ts";

/** The parts of `node:crypto` that are used here. */
interface Crypto {
  X509Certificate: new (pem: string) => { checkPrivateKey(key: unknown): boolean };
  createPrivateKey(pem: string): unknown;
}

const { process } = globalThis as unknown as {
  process?: { getBuiltinModule?(name: string): unknown };
};

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const PRIVATE_KEY = /-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----[^-]+-----END \1-----/;
const HOST_NAME = /^(?=.{1,254}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?$/i;
const IP_ADDRESS = /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f.]*:[0-9a-f:.]*)$/i;

/**
 * Checks the TLS options of a server, before it listens.
 *
 * @throws {TypeError} If a certificate or the key is malformed, or the key is not the certificate's.
 */
export function checkServerTls(tls: ServerTls): void {
  checkNames("tls", tls, ["cert", "key"]);
  const { cert, key } = tls;
  checkCertificates("cert", [cert]);
  checkKey(cert, key);
}

/**
 * Checks the TLS options of a client, before it connects.
 *
 * @throws {TypeError} If a certificate, the key or the server name is malformed, or the key is not the
 * certificate's.
 */
export function checkClientTls(tls: ClientTls): void {
  checkTlsNames(tls);
  const { caCerts = [], cert, key, serverName } = tls;
  checkCertificates("caCerts", caCerts);
  if (cert !== undefined) {
    checkCertificates("cert", [cert]);
    checkKey(cert, key ?? "");
  }
  if (serverName !== undefined && !HOST_NAME.test(serverName) && !IP_ADDRESS.test(serverName)) {
    throw new TypeError(
      `Cannot use serverName of tls: expected a host name or an IP address, got "${serverName}"`,
    );
  }
}

/** @throws {TypeError} If a TLS option of a client is unknown. */
export function checkTlsNames(tls: ClientTls): void {
  checkNames("tls", tls, ["caCerts", "serverName", "cert", "key"]);
}

/**
 * Returns the name to send to the server, or `undefined` to send none.
 *
 * RFC 6066 §3: "The hostname is represented as a byte string using ASCII encoding without a trailing
 * dot." "Literal IPv4 and IPv6 addresses are not permitted in "HostName"."
 */
export function sniOf(name: string): string | undefined {
  return IP_ADDRESS.test(name) ? undefined : withoutDot(name);
}

/** Returns the name that the certificate must be for: certificates have no trailing dot either. */
export function withoutDot(name: string): string {
  return name.endsWith(".") ? name.slice(0, -1) : name;
}

function checkCertificates(name: string, pems: readonly string[]): void {
  for (const [i, pem] of pems.entries()) {
    const certificates = pem.match(CERTIFICATES) ?? [];
    if (certificates.length === 0) {
      throw new TypeError(`Cannot use ${name} of tls: expected a certificate in PEM`);
    }
    // One without its end would be left out in silence.
    const count = pem.match(/-----BEGIN CERTIFICATE-----/g)!.length;
    const whatOf = (j: number) => {
      const where = pems.length > 1 ? ` in string ${i + 1} of ${pems.length}` : "";
      return `Cannot use ${name} of tls: certificate ${j + 1} of ${count}${where}`;
    };
    for (const [j, certificate] of certificates.entries()) {
      parse(whatOf(j), ({ X509Certificate }) => new X509Certificate(certificate));
    }
    if (count > certificates.length) {
      const whole = pem.split("-----BEGIN CERTIFICATE-----").slice(1)
        .findIndex((part) => !part.includes("-----END CERTIFICATE-----"));
      throw new TypeError(`${whatOf(whole)} has no end`);
    }
  }
}

/** The errors contain nothing of the key. */
function checkKey(cert: string, key: string): void {
  const what = "Cannot use key of tls: it";
  const [pem] = key.match(PRIVATE_KEY) ?? [];
  if (pem === undefined) {
    throw new TypeError("Cannot use key of tls: expected a private key in PEM");
  }
  const isPair = parse(what, ({ X509Certificate, createPrivateKey }) => {
    const privateKey = createPrivateKey(pem);
    return new X509Certificate(cert.match(CERTIFICATES)![0]).checkPrivateKey(privateKey);
  });
  if (isPair === false) throw new TypeError(`${what} is not the key of the certificate`);
}

/** Runs a parser of `node:crypto`, which is loaded here, since it is needed for TLS only. */
function parse<Result>(what: string, run: (crypto: Crypto) => Result): Result | undefined {
  const crypto = process?.getBuiltinModule?.("node:crypto") as Crypto | undefined;
  if (crypto === undefined) return undefined;
  try {
    return run(crypto);
  } catch (cause) {
    throw new TypeError(`${what} is malformed`, { cause });
  }
}
