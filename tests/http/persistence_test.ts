import { HeaderList } from "../../src/http/header_list.ts";
import { isPersistent } from "../../src/http/persistence.ts";
import { assertEquals, test } from "../harness.ts";

const cases: [minorVersion: number, connection: string[], expected: boolean][] = [
  [1, [], true],
  [1, ["keep-alive"], true],
  [1, ["close"], false],
  [1, ["Close"], false],
  [1, ["x, CLOSE , y"], false],
  [1, ["keep-alive", "close"], false],
  [1, ["closed"], true],
  [2, [], true],
  [0, [], false],
  [0, ["keep-alive"], true],
  [0, ["x, Keep-Alive"], true],
  [0, ["keep-alive, close"], false],
  [0, ["upgrade"], false],
];

for (const [minorVersion, connection, expected] of cases) {
  test(`isPersistent of HTTP/1.${minorVersion} with ${JSON.stringify(connection)}`, () => {
    const headers = new HeaderList(connection.map((value) => ["connection", value]));
    const head = { method: "GET", target: "/", minorVersion, headers };
    assertEquals(isPersistent(head), expected);
  });
}
