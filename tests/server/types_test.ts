// The types of serve() and accept(): `data` follows from what `upgrade()` returns.
import { accept, broadcast, connectOver, serve } from "../../mod.ts";
import type { Conn, SocketHandler, WebSocketConnection, WebSocketServer } from "../../mod.ts";
import { testPair } from "../../src/testing/mod.ts";
import type { TestPair } from "../../src/testing/mod.ts";
import { memoryPair } from "../../src/transport/mod.ts";
import { assertEquals, test } from "../harness.ts";

/** Fails to compile unless the value has exactly the type. */
type Exactly<Actual, Expected> = (<T>() => T extends Actual ? 1 : 2) extends
  (<T>() => T extends Expected ? 1 : 2) ? true : false;
function hasType<Expected>() {
  return <Actual>(_value: Actual, isExact: Exactly<Actual, Expected>): void => {
    assertEquals(isExact, true);
  };
}

interface User {
  user: string;
}

/** Opens a connection in memory whose `upgrade()` returns `result`. */
async function dataOf(upgrade: NonNullable<Parameters<typeof accept>[1]>["upgrade"]) {
  const [near, far] = memoryPair();
  const [socket, client] = await Promise.all([
    accept(near as Conn, { ...(upgrade !== undefined && { upgrade }) }),
    connectOver(far, "ws://localhost/"),
  ]);
  client.abort();
  await socket.closed;
  return socket.data;
}

test("accept() gives the connection the data of upgrade()", async () => {
  assertEquals(await dataOf(() => ({ data: { user: "ann" } })), { user: "ann" });
  assertEquals(await dataOf(undefined), undefined);
});

test("serve() gives fetch() its server", async () => {
  await using server = serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (_request, { server: { url, isDraining } }) => new Response(`${url} ${isDraining}`),
  }, {});
  const response = await fetch(`http://127.0.0.1:${server.port}/`);
  assertEquals(await response.text(), `${server.url} false`);
});

/** Never called: the bodies need only compile. */
function types(conn: Conn): void {
  const user: User = { user: "ann" };
  const options = { port: 0 };

  serve({ ...options, upgrade: () => ({ data: user }) }, (socket) => {
    hasType<User>()(socket.data, true);
  });
  serve({ ...options, upgrade: () => ({ data: user }) }, {
    open: (socket) => hasType<User>()(socket.data, true),
    message: (socket) => hasType<User>()(socket.data, true),
    drain: (socket) => hasType<User>()(socket.data, true),
    error: (socket) => hasType<User>()(socket.data, true),
    close: (socket) => hasType<User>()(socket.data, true),
  });
  const server = serve({
    ...options,
    upgrade: () => ({ data: user }),
    onError: (_error, socket) => hasType<User | undefined>()(socket?.data, true),
  }, {});
  for (const socket of server.connections) hasType<User>()(socket.data, true);

  // An asynchronous upgrade(), one that may refuse, and one that may return nothing.
  serve({ ...options, upgrade: async () => await Promise.resolve({ data: user }) }, {
    open: (socket) => hasType<User>()(socket.data, true),
  });
  serve({ ...options, upgrade: ({ url }) => url === "" ? new Response() : { data: user } }, {
    open: (socket) => hasType<User>()(socket.data, true),
  });
  serve({ ...options, upgrade: ({ url }) => url === "" ? undefined : { data: user } }, {
    open: (socket) => hasType<User | undefined>()(socket.data, true),
  });
  serve({ ...options, upgrade: () => {} }, {
    open: (socket) => hasType<undefined>()(socket.data, true),
  });

  // A union.
  serve({
    ...options,
    async upgrade({ url }) {
      await Promise.resolve();
      if (url === "") return { data: { kind: "user" as const, user: "ann" } };
      if (url === "/bot") return { data: { kind: "bot" as const, id: 7 } };
      return new Response(null, { status: 401 });
    },
  }, {
    open({ data }) {
      if (data.kind === "user") hasType<string>()(data.user, true);
      else hasType<number>()(data.id, true);
    },
  });

  // Without upgrade(), with an explicit type, and with a handler that is declared elsewhere.
  serve(options, (socket) => hasType<unknown>()(socket.data, true));
  serve((socket) => hasType<unknown>()(socket.data, true));
  serve<User & { seat?: number }>({ ...options, upgrade: () => ({ data: user }) }, {
    open: (socket) => hasType<number | undefined>()(socket.data.seat, true),
  });
  const handler: SocketHandler<User> = {};
  serve({ ...options, upgrade: () => ({ data: user }) }, handler);

  hasType<Promise<WebSocketConnection<unknown>>>()(accept(conn), true);
  hasType<Promise<WebSocketConnection<User>>>()(
    accept(conn, { upgrade: () => ({ data: user }) }),
    true,
  );
  hasType<Promise<WebSocketConnection<number | string>>>()(
    accept(conn, {
      upgrade: ({ url }) => url === "" ? { data: 1 as number } : { data: "a" as string },
    }),
    true,
  );

  // A connection with data is one with unknown data.
  const sockets = new Set<WebSocketConnection>();
  serve({ ...options, upgrade: () => ({ data: user }) }, { open: (socket) => sockets.add(socket) });

  // The other functions that get a connection.
  serve({
    ...options,
    inspect: (_frame, socket) => hasType<User>()(socket.data, true),
    upgrade: () => ({ data: user }),
  }, {});
  serve({
    ...options,
    upgrade: (request) => request.url === "" ? new Response() : { data: user },
    inspect: (_frame, socket) => hasType<User>()(socket.data, true),
    onError: (_error, socket) => hasType<User | undefined>()(socket?.data, true),
  }, (socket) => {
    hasType<User>()(socket.data, true);
  });
  accept(conn, { upgrade: () => ({ data: user }) }, {
    open: (socket) => hasType<User>()(socket.data, true),
  });
  accept(conn, { upgrade: () => ({ data: user }) }, (socket) => {
    hasType<User>()(socket.data, true);
  });

  // upgrade() as a method, and one that is declared elsewhere, with all that it may return.
  serve({
    ...options,
    upgrade(request, { protocols }) {
      if (protocols.length === 0) return;
      return { data: { user: request.url }, protocol: protocols[0] };
    },
  }, (socket) => {
    hasType<{ user: string } | undefined>()(socket.data, true);
  });
  const upgrade = (request: Request) =>
    request.url === "" ? new Response() : { data: user, headers: { "x-a": "b" } };
  serve({ ...options, upgrade }, (socket) => {
    hasType<User>()(socket.data, true);
  });
  const either = async ({ url }: Request): Promise<{ data: User } | { data: number }> => {
    return await Promise.resolve(url === "" ? { data: user } : { data: 1 });
  };
  serve({ ...options, upgrade: either }, (socket) => {
    hasType<User | number>()(socket.data, true);
  });

  // testPair() as serve().
  testPair((socket) => {
    hasType<User>()(socket.data, true);
  }, { upgrade: () => ({ data: user }) });
  hasType<Promise<TestPair<User | number>>>()(testPair(undefined, { upgrade: either }), true);

  // A server in its own fetch(), and in its handlers: with a type, or as info.server.
  const typed: WebSocketServer<User> = serve({
    ...options,
    upgrade: () => ({ data: user }),
    fetch: () => new Response(`${typed.connections.size}`),
  }, {
    message: (_socket, message) => broadcast(typed.connections, message),
  });
  const inHandler = serve({ ...options, upgrade: () => ({ data: user }) }, {
    message: (_socket, message) => {
      broadcast(inHandler.connections, message);
    },
  });
  hasType<WebSocketServer<User>>()(inHandler, true);
  const draining = serve({
    ...options,
    fetch: (_request, { server }) => new Response("", { status: server.isDraining ? 503 : 200 }),
  }, {});
  hasType<boolean>()(draining.isDraining, true);

  // @ts-expect-error: upgrade() must return options, a Response or nothing.
  serve({ ...options, upgrade: () => 5 }, {});
  // @ts-expect-error: a subprotocol is a string.
  serve({ ...options, upgrade: () => ({ protocol: 5 }) }, {});
}

test("the data of a connection has the type of the results of upgrade()", () => {
  assertEquals(types.length, 1);
});
