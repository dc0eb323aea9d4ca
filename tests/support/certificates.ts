/** Makes X.509 certificates (RFC 5280), with keys and signatures of node:crypto. */

import { Buffer } from "node:buffer";
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";

const DAY = 24 * 60 * 60 * 1000;

/** The fields of a certificate. */
export interface CertificateOptions {
  /** The subject's common name, which clients no longer compare with the host. */
  subject: string;
  /** The DNS names and IPv4 addresses of the server, if any; left out for an authority. */
  names?: string[];
  /** The start of its validity. Default: yesterday. */
  notBefore?: Date;
  /** The end of its validity. Default: tomorrow. */
  notAfter?: Date;
  /** Its keys. Default: new ones, of the curve P-256. Others need an issuer. */
  keys?: { privateKey: KeyObject; publicKey: KeyObject };
  /** The issuer. Default: the certificate signs itself. */
  issuer?: Certificate;
}

/** A certificate and its key. */
export interface Certificate {
  readonly subject: string;
  readonly privateKey: KeyObject;
  /** The certificate in PEM. */
  readonly cert: string;
  /** The private key in PEM. */
  readonly key: string;
}

/** Makes a certificate: a server's if there are names, else an authority's. */
export function certificate(options: CertificateOptions): Certificate {
  const { subject, names, issuer } = options;
  const { notBefore = new Date(Date.now() - DAY), notAfter = new Date(Date.now() + DAY) } = options;
  const { privateKey, publicKey } = options.keys ??
    generateKeyPairSync("ec", { namedCurve: "P-256" });
  const isAuthority = names === undefined;
  // RFC 5280 §4.1: TBSCertificate.
  const body = sequence(
    tagged(0, integer(new Uint8Array([2]))),
    integer(new Uint8Array([1, ...randomBytes(15)])),
    ECDSA_SHA256,
    name(issuer?.subject ?? subject),
    sequence(utcTime(notBefore), utcTime(notAfter)),
    name(subject),
    publicKey.export({ type: "spki", format: "der" }),
    tagged(
      3,
      sequence(
        extension("551d13", true, sequence(...(isAuthority ? [der(0x01, Buffer.of(0xff))] : []))),
        ...(isAuthority
          // keyCertSign, digitalSignature.
          ? [extension("551d0f", true, der(0x03, Buffer.of(2, 0x84)))]
          : [
            extension("551d25", false, sequence(objectId("2b06010505070301"))), // serverAuth
            ...(names.length === 0
              ? []
              : [extension("551d11", false, sequence(...names.map(alternativeName)))]),
          ]),
      ),
    ),
  );
  const signature = sign("sha256", body, issuer?.privateKey ?? privateKey);
  const bytes = sequence(body, ECDSA_SHA256, der(0x03, Buffer.concat([Buffer.of(0), signature])));
  const base64 = bytes.toString("base64").replaceAll(/.{64}(?=.)/g, "$&\n");
  return {
    subject,
    privateKey,
    cert: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
  };
}

/** One value in DER: its tag, its length, its bytes. */
function der(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 0x80
    ? [length]
    : length < 0x100
    ? [0x81, length]
    : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...parts: Uint8Array[]): Buffer => der(0x30, ...parts);
const tagged = (tag: number, content: Uint8Array): Buffer => der(0xa0 + tag, content);
const integer = (bytes: Uint8Array): Buffer => der(0x02, bytes);
const objectId = (hex: string): Buffer => der(0x06, Buffer.from(hex, "hex"));

const ECDSA_SHA256: Buffer = sequence(objectId("2a8648ce3d040302"));

/** RFC 5280 §4.1.2.4: a Name of one common name. */
function name(commonName: string): Buffer {
  return sequence(
    der(0x31, sequence(objectId("550403"), der(0x0c, Buffer.from(commonName, "utf8")))),
  );
}

function utcTime(date: Date): Buffer {
  // 2026-01-31T12:34:56.789Z to 260131123456Z.
  return der(0x17, Buffer.from(`${date.toISOString().replaceAll(/[-:T]|\..*/g, "").slice(2)}Z`));
}

function extension(id: string, isCritical: boolean, value: Uint8Array): Buffer {
  return sequence(
    objectId(id),
    ...(isCritical ? [der(0x01, Buffer.of(0xff))] : []),
    der(0x04, value),
  );
}

/** RFC 5280 §4.2.1.6: a dNSName or an iPAddress. */
function alternativeName(text: string): Buffer {
  if (!/^[\d.]+$/.test(text)) return der(0x82, Buffer.from(text, "ascii"));
  return der(0x87, Buffer.from(text.split(".").map(Number)));
}
