/** Inputs that a property once failed for: each is run again on each test run. */

/** One of them, as a failure prints it. */
export interface Regression {
  /** The name of the target. */
  target: string;
  /** The input, in hex. */
  input: string;
  /** What was wrong. */
  was: string;
}

/** All of them. */
export const REGRESSIONS: readonly Regression[] = [
  {
    target: "head",
    input: "0300485454502f312e302031303020800d0a0d0a",
    was: "a reason phrase beyond ASCII was read as UTF-8",
  },
  {
    target: "head",
    input: "0100485454502f312e312031303120c3a90d0a6b3a760d0a0d0a",
    was: "a reason phrase of UTF-8 shifted the fields behind it",
  },
  {
    target: "deflate",
    input: "07000000000109",
    was: "a message that ends in a final block, empty, was truncated to the one-shot inflater",
  },
  {
    target: "deflate",
    input: "d80000070100f300000000",
    was: "an error behind a pause did not end the receiver",
  },
  {
    target: "deflate",
    input: "5400000000040a1805a3",
    was: "the model took what comes out of the tail for the message's",
  },
  {
    target: "deflate",
    input: `00000000${"0086"}${"0300".repeat(67)}`,
    was: "the model counted a final block with nothing behind it",
  },
  {
    target: "deflate",
    input: `07000000${"000100"}${"0081"}${"0300".repeat(64)}03`,
    was:
      "a message cut within its 65th final block had too many to the one-shot inflater, not to the other",
  },
  {
    target: "ws",
    input: "030000810900000000000000c2800104000000808800",
    was: "text is wrong before its message ends, where ws still hears a control frame",
  },
  {
    target: "ws",
    input: "00000081ff0000000000100001",
    was: "ws knows the length as too big before the masking key",
  },
  {
    target: "wire",
    input: "0e0100000041915a01c61d5a01c6e2a58ac01e7a1d005d0080af990000857400400000e040b900",
    was: "text that is not UTF-8, and too much of it: which is seen first depends on the cut",
  },
  {
    target: "wire",
    input: "0d00000000420e7b702020600000217d07b820008180020000",
    was: "a final block, streamed: to start anew overwrote what had not been handed on",
  },
  {
    target: "frames",
    input: "090100820100810280",
    was: "a message that had been announced, handed on as if it were whole",
  },
];
