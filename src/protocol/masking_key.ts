/** How many keys are drawn at a time: `getRandomValues` for one key would cost as much as for 256. */
const POOL_SIZE = 256;

const pool = /* @__PURE__ */ new Int32Array(POOL_SIZE);
let next = POOL_SIZE;

/**
 * A fresh masking key, from the platform's cryptographic random generator; none is used twice.
 *
 * RFC 6455 §5.3: "The masking key needs to be unpredictable; thus, the masking key MUST be derived
 * from a strong source of entropy".
 */
export function freshMaskingKey(): number {
  if (next === POOL_SIZE) {
    crypto.getRandomValues(pool);
    next = 0;
  }
  return pool[next++];
}
