/** Inputs for which a property has failed. Each test run repeats them. */

/** An input, as a failure prints it. */
export interface Regression {
  /** The name of the target. */
  target: string;
  /** The input, in hex. */
  input: string;
  /** What went wrong. */
  was: string;
}

/** All inputs. */
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
    was: "a message that ends in an empty final block was reported as truncated",
  },
  {
    target: "deflate",
    input: "d80000070100f300000000",
    was: "an error after a pause did not end the receiver",
  },
  {
    target: "deflate",
    input: "5400000000040a1805a3",
    was: "the model took output for the tail as output of the message",
  },
  {
    target: "deflate",
    input: `00000000${"0086"}${"0300".repeat(67)}`,
    was: "the model counted a final block at the end",
  },
  {
    target: "deflate",
    input: `07000000${"000100"}${"0081"}${"0300".repeat(64)}03`,
    was: "a message cut within its 65th final block was rejected in two ways",
  },
  {
    target: "ws",
    input: "030000810900000000000000c2800104000000808800",
    was: "text is invalid before the end of its message, when ws still receives a control frame",
  },
  {
    target: "ws",
    input: "00000081ff0000000000100001",
    was: "ws rejects a length as too big before the masking key",
  },
  {
    target: "wire",
    input: "0e0100000041915a01c61d5a01c6e2a58ac01e7a1d005d0080af990000857400400000e040b900",
    was: "text that is invalid and too long: the split decides which error is found first",
  },
  {
    target: "wire",
    input: "0d00000000420e7b702020600000217d07b820008180020000",
    was: "a restart after a final block overwrote output that had not been passed on",
  },
  {
    target: "frames",
    input: "090100820100810280",
    was: "a message whose header had been passed on was passed on as a whole one",
  },
  {
    target: "pipeline",
    input:
      "00474554202a20485454502f312e300d0a436f6e6e656374696f6e3a6b6565702d616c697665090d0a0d0a" +
      "23202420485454502f312e300d0a0d0a",
    was: "Node's parser takes no tab after keep-alive: not explained",
  },
];
