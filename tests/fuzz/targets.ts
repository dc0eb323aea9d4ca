import { masking, utf8 } from "./bytes_targets.ts";
import { bodies } from "./body_target.ts";
import { compress, wire } from "./compress_targets.ts";
import { deflate } from "./deflate_target.ts";
import { encode } from "./encode_target.ts";
import { frames } from "./frames_target.ts";
import { grammar } from "./grammar_target.ts";
import { heads } from "./head_target.ts";
import { pipelines } from "./pipeline_target.ts";
import { responses } from "./response_target.ts";
import type { Target } from "./target.ts";
import { ws } from "./ws_target.ts";

/** All properties. */
export const TARGETS: readonly Target[] = [
  frames,
  heads,
  bodies,
  pipelines,
  responses,
  deflate,
  ws,
  wire,
  encode,
  compress,
  grammar,
  utf8,
  masking,
];
