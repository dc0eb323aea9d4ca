/** Valid and invalid UTF-8: RFC 3629, and the cases of section 6 of Autobahn's WebSocket test suite. */
export interface Utf8Case {
  /** The name for a test. */
  name: string;
  /** The bytes, in hex. */
  bytes: string;
  /**
   * The index of the first invalid byte; `"end"` if the bytes end inside a character; `"valid"` if they are
   * valid.
   */
  wrong: number | "end" | "valid";
}

type Row = [name: string, bytes: string, wrong: Utf8Case["wrong"]];

const rows: Row[] = [
  ["plain ASCII", "48 65 6c 6c 6f", "valid"],
  ["kosme in Greek", "ce ba e1 bd b9 cf 83 ce bc ce b5", "valid"],
  ["a surrogate inside Greek", "ce ba e1 bd b9 cf 83 ce bc ce b5 ed a0 80 65 64 69 74 65 64", 12],
  ["above U+10FFFF inside Greek", "ce ba e1 bd b9 cf 83 ce bc ce b5 f4 90 80 80 65 64", 12],
  ["U+0000", "00", "valid"],
  ["U+0080, the first of 2 bytes", "c2 80", "valid"],
  ["U+0800, the first of 3 bytes", "e0 a0 80", "valid"],
  ["U+10000, the first of 4 bytes", "f0 90 80 80", "valid"],
  ["the first of 5 bytes", "f8 88 80 80 80", 0],
  ["the first of 6 bytes", "fc 84 80 80 80 80", 0],
  ["U+007F", "7f", "valid"],
  ["U+07FF", "df bf", "valid"],
  ["U+FFFF", "ef bf bf", "valid"],
  ["U+1FFFFF, the last of 4 bytes", "f7 bf bf bf", 0],
  ["the last of 5 bytes", "fb bf bf bf bf", 0],
  ["the last of 6 bytes", "fd bf bf bf bf bf", 0],
  ["U+D7FF, before the surrogates", "ed 9f bf", "valid"],
  ["U+E000, after the surrogates", "ee 80 80", "valid"],
  ["U+FFFD", "ef bf bd", "valid"],
  ["U+10FFFF, the last of all", "f4 8f bf bf", "valid"],
  ["U+110000, above the last", "f4 90 80 80", 1],
  ["U+140000", "f5 80 80 80", 0],
  ["a byte order mark", "ef bb bf 41", "valid"],
  ["U+FFFE, a noncharacter", "ef bf be", "valid"],
  ["U+1FFFF, a noncharacter", "f0 9f bf bf", "valid"],
  ["a first continuation byte alone", "80", 0],
  ["a last continuation byte alone", "bf", 0],
  ["a continuation byte after a character", "c3 a9 80", 2],
  ["FE", "fe", 0],
  ["FF", "41 ff", 1],
  ["a lead of 2 bytes, then a space", "c3 20", 1],
  ["a lead of 3 bytes, then a space", "e2 20", 1],
  ["a lead of 4 bytes, then a space", "f0 20", 1],
  ["two of 3 bytes, then a space", "e2 82 20", 2],
  ["three of 4 bytes, then a space", "f0 9f 98 20", 3],
  ["a lead inside a character", "e2 c3 a9", 1],
  ["the first of 2 bytes, then the end", "c3", "end"],
  ["the first of 3 bytes, then the end", "41 e2", "end"],
  ["two of 3 bytes, then the end", "e2 82", "end"],
  ["the first of 4 bytes, then the end", "f0", "end"],
  ["three of 4 bytes, then the end", "f0 9f 98", "end"],
  ["an overlong slash of 2 bytes", "c0 af", 0],
  ["an overlong slash of 3 bytes", "e0 80 af", 1],
  ["an overlong slash of 4 bytes", "f0 80 80 af", 1],
  ["the largest overlong of 2 bytes", "c1 bf", 0],
  ["the largest overlong of 3 bytes", "e0 9f bf", 1],
  ["the largest overlong of 4 bytes", "f0 8f bf bf", 1],
  ["an overlong U+0000", "c0 80", 0],
  ["U+D800, the first surrogate", "ed a0 80", 1],
  ["U+DFFF, the last surrogate", "ed bf bf", 1],
  ["a pair of surrogates", "ed a0 bd ed b8 80", 1],
];

/** All cases. */
export const UTF8_CASES: readonly Utf8Case[] = rows.map(([name, bytes, wrong]) => ({
  name,
  bytes,
  wrong,
}));
