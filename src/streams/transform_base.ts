/**
 * The base class of the streams: the platform's `TransformStream`. A bundler leaves out an unused class that
 * extends it. It keeps one that extends the global itself, whose evaluation may throw.
 */
export const TransformBase: typeof TransformStream = /* @__PURE__ */ (() => TransformStream)();
