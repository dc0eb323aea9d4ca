import { createHash } from "node:crypto";

/** The digests that a handshake needs, as Web Crypto spells them. */
export type DigestAlgorithm = "SHA-1" | "SHA-256" | "SHA-384" | "SHA-512";

/** The part of `@std/crypto`'s `crypto` that Sluice calls. */
export const crypto: {
  readonly subtle: {
    /** The digest of `data`, without a promise. */
    digestSync(algorithm: DigestAlgorithm, data: ArrayBuffer | ArrayBufferView): ArrayBuffer;
  };
} = {
  subtle: {
    digestSync(algorithm, data) {
      const bytes = ArrayBuffer.isView(data)
        ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
        : new Uint8Array(data);
      const hash = createHash(algorithm.replace("-", "").toLowerCase());
      return new Uint8Array(hash.update(bytes).digest()).buffer;
    },
  },
};
