import { checkNames } from "./options.ts";
import type { ClientTls, ServerTls } from "./transport.ts";

/** The parts of `node:crypto` that are used here. */
interface Crypto {
  X509Certificate: new (pem: string) => { checkPrivateKey(key: unknown): boolean };
  createPrivateKey(pem: string): PrivateKey;
}

/** The parts of a `KeyObject` of `node:crypto` that are used here. */
interface PrivateKey {
  asymmetricKeyType?: string;
  asymmetricKeyDetails?: { namedCurve?: string; modulusLength?: number };
}

const { process } = globalThis as unknown as {
  process?: { getBuiltinModule?(name: string): unknown };
};

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const PRIVATE_KEY = /-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----[^-]+-----END \1-----/;
/** The last label is no number: `1.2.3.256` and `0x7f.1` are neither names nor addresses. */
const HOST_NAME =
  /^(?=.{1,254}$)((?!-)[a-z0-9_-]{1,63}(?<!-)\.)*(?!(\d+|0x[\da-f]*)\.?$)(?!-)[a-z0-9_-]{1,63}(?<!-)\.?$/i;
const IPV4_ADDRESS = /^((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(?!$)|$)){4}$/;
const KINDS = "RSA of 2048 to 8192 bits, EC (P-256, P-384, P-521) or Ed25519";
const CURVES: readonly unknown[] = ["prime256v1", "secp384r1", "secp521r1"];

/**
 * Checks the TLS options of a server, before it listens.
 *
 * @returns The certificates and the key alone: the parser of a runtime may refuse what stands around
 * them, such as a byte order mark.
 * @throws {TypeError} If a certificate or the key is malformed, the key is not the certificate's, or one of
 * the runtimes can't use keys of its kind.
 */
export function resolveServerTls(tls: ServerTls): ServerTls {
  checkNames("tls", tls, ["cert", "key"]);
  return resolvePair(tls.cert, tls.key);
}

/**
 * Checks the TLS options of a client, before it connects.
 *
 * @returns The options with certificates and keys alone, as {@linkcode resolveServerTls} does.
 * @throws {TypeError} If a certificate, the key or the server name is malformed, the key is not the
 * certificate's, or one of the runtimes can't use keys of its kind: with such a key, Deno would exit.
 */
export function resolveClientTls(tls: ClientTls): ClientTls {
  checkNames("tls", tls, ["caCerts", "serverName", "cert", "key"]);
  const { caCerts = [], cert, key, serverName } = tls;
  const resolved: ClientTls = { caCerts: certificatesOf("caCerts", caCerts) };
  if (cert !== undefined || key !== undefined) Object.assign(resolved, resolvePair(cert, key));
  if (serverName !== undefined) {
    if (!HOST_NAME.test(serverName) && !isIpAddress(serverName)) {
      // A key in the wrong place must not end up in a log.
      const shown = serverName.includes("-----BEGIN ") ? "text in PEM" : JSON.stringify(serverName);
      throw new TypeError(
        `Cannot use serverName of tls: expected a host name or an IP address, got ${shown}`,
      );
    }
    resolved.serverName = serverName;
  }
  return resolved;
}

/**
 * Returns the name to send to the server, or `undefined` to send none.
 *
 * RFC 6066 §3: "The hostname is represented as a byte string using ASCII encoding without a trailing
 * dot." "Literal IPv4 and IPv6 addresses are not permitted in "HostName"."
 */
export function sniOf(name: string): string | undefined {
  const host = withoutDot(name);
  return isIpAddress(host) ? undefined : host;
}

/** Returns the name that the certificate must be for: certificates have no trailing dot either. */
export function withoutDot(name: string): string {
  return name.endsWith(".") ? name.slice(0, -1) : name;
}

function isIpAddress(name: string): boolean {
  return IPV4_ADDRESS.test(name) || (name.includes(":") && URL.canParse(`http://[${name}]/`));
}

/** Checks texts in PEM, and returns the certificates of each. */
function certificatesOf(name: string, pems: readonly unknown[]): string[] {
  // Array.from() visits holes, too.
  return Array.from(pems, (pem, i) => {
    const certificates = typeof pem === "string" ? pem.match(CERTIFICATES) ?? [] : [];
    if (certificates.length === 0) {
      throw new TypeError(`Cannot use ${name} of tls: expected a certificate in PEM`);
    }
    // One without its end would be left out in silence.
    const parts = (pem as string).split("-----BEGIN CERTIFICATE-----").slice(1);
    const whatOf = (j: number) => {
      const where = pems.length > 1 ? ` in string ${i + 1} of ${pems.length}` : "";
      return `Cannot use ${name} of tls: certificate ${j + 1} of ${parts.length}${where}`;
    };
    for (const [j, certificate] of certificates.entries()) {
      parse(whatOf(j), ({ X509Certificate }) => new X509Certificate(certificate));
    }
    if (parts.length > certificates.length) {
      const whole = parts.findIndex((part) => !part.includes("-----END CERTIFICATE-----"));
      throw new TypeError(`${whatOf(whole)} has no end`);
    }
    return `${certificates.join("\n")}\n`;
  });
}

/** Checks a certificate and its key. The errors contain nothing of the key. */
function resolvePair(cert: unknown, key: unknown): ServerTls {
  const what = "Cannot use key of tls: it";
  const [certificates] = certificatesOf("cert", [cert]);
  const [pem] = (typeof key === "string" ? key.match(PRIVATE_KEY) : null) ?? [];
  if (pem === undefined) {
    throw new TypeError("Cannot use key of tls: expected a private key in PEM");
  }
  const privateKey = parse(
    what,
    ({ createPrivateKey }) => createPrivateKey(pem),
    `, or not ${KINDS}`,
  );
  if (privateKey !== undefined && !isUsable(privateKey)) {
    throw new TypeError(`${what} is malformed, or not ${KINDS}`);
  }
  const isPair = parse(
    what,
    ({ X509Certificate }) => new X509Certificate(certificates).checkPrivateKey(privateKey),
  );
  if (isPair === false) throw new TypeError(`${what} is not the key of the certificate`);
  return { cert: certificates, key: `${pem}\n` };
}

/** Whether both runtimes can use such keys. */
function isUsable({ asymmetricKeyType: type, asymmetricKeyDetails = {} }: PrivateKey): boolean {
  const { namedCurve, modulusLength = 0 } = asymmetricKeyDetails;
  if (type === "rsa") return modulusLength >= 2048 && modulusLength <= 8192;
  return type === "ed25519" || (type === "ec" && CURVES.includes(namedCurve));
}

/** Runs a parser of `node:crypto`, which is loaded here, since it is needed for TLS only. */
function parse<Result>(
  what: string,
  run: (crypto: Crypto) => Result,
  alternative = "",
): Result | undefined {
  const crypto = process?.getBuiltinModule?.("node:crypto") as Crypto | undefined;
  if (crypto === undefined) return undefined;
  try {
    return run(crypto);
  } catch (cause) {
    throw new TypeError(`${what} is malformed${alternative}`, { cause });
  }
}
