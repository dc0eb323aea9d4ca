import { provideFastPaths } from "./fast_paths.ts";
import { createFastText } from "./fast_text.ts";
import { SimdKernel } from "./simd_kernel.ts";
import { sizedBufferPool } from "./sized_buffer_pool.ts";
import { Utf8Validator } from "./utf8.ts";

provideFastPaths({
  loadKernel: () => SimdKernel.load(),
  createValidator: () => new Utf8Validator(),
  text: createFastText(),
  pool: sizedBufferPool,
});
