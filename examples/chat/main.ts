// A chat with rooms. `deno run -A examples/chat/main.ts`, or `bun examples/chat/main.ts`, then open
// the address that it prints. PORT and HOST set its address.
import process from "node:process";
import { ReadyState, serve } from "@sluice/websocket";
import type { WebSocketConnection } from "@sluice/websocket";
import { topics } from "@sluice/websocket/topics";
import { BadMessage, cleanName, MAX, parseClientMessage, Rooms } from "./chat.ts";
import type { Room, ServerMessage } from "./chat.ts";
import { answer, roomOf } from "./site.ts";

const PROTOCOL = "chat.v1";

/** The data of a connection: the room and name that its URL asks for, and the seat that it got. */
interface Visit {
  roomName: string;
  wanted: string;
  seat?: { room: Room<Socket>; name: string };
}
type Socket = WebSocketConnection<Visit>;

const rooms = new Rooms<Socket>();
/** A topic for each room. A client that is too slow for its messages is closed with 1013. */
const channels = topics();

/** Sends a message to the members of a room. */
function tell(roomName: string, message: ServerMessage, except?: Socket): void {
  channels.publish(roomName, JSON.stringify(message), except === undefined ? {} : { except });
}

const server = serve<Visit>({
  port: Number(process.env.PORT || 8080),
  ...(process.env.HOST ? { hostname: process.env.HOST } : {}),
  // The longest text in JSON, with every character escaped, has about 12 KB.
  limits: { maxMessageSize: 16 * 1024, maxBufferedAmount: 1024 * 1024 },
  fetch: answer,
  upgrade(request, { protocols }) {
    const url = new URL(request.url);
    const roomName = roomOf(url);
    if (roomName === undefined) return new Response("No such room\n", { status: 404 });
    const wanted = cleanName(url.searchParams.get("name") ?? "", MAX.name);
    if (wanted === undefined) return new Response("Expected a name\n", { status: 400 });
    if (!protocols.includes(PROTOCOL)) {
      return new Response(`Expected the subprotocol ${PROTOCOL}\n`, { status: 400 });
    }
    return { protocol: PROTOCOL, data: { roomName, wanted } };
  },
}, {
  open(socket) {
    const { roomName, wanted } = socket.data;
    const { room, name } = socket.data.seat = rooms.join(roomName, wanted, socket);
    const { people, history } = room;
    const welcome: ServerMessage = { type: "welcome", room: roomName, name, people, history };
    socket.send(JSON.stringify(welcome));
    channels.subscribe(socket, roomName);
    tell(roomName, { type: "joined", name, at: Date.now() }, socket);
  },

  message(socket, message) {
    const { seat, roomName } = socket.data;
    // Messages that arrive while the connection closes are ignored.
    if (seat === undefined || socket.readyState !== ReadyState.Open) return;
    if (typeof message !== "string") return void socket.close(1003, "Expected text");
    try {
      const entry = seat.room.say(seat.name, parseClientMessage(message), Date.now());
      if (entry !== undefined) tell(roomName, { type: "message", entry });
    } catch (error) {
      if (!(error instanceof BadMessage)) throw error;
      socket.close(1008, error.message);
    }
  },

  close(socket) {
    const { seat, roomName } = socket.data;
    if (seat === undefined) return;
    rooms.leave(seat.room, seat.name);
    tell(roomName, { type: "left", name: seat.name, at: Date.now() });
  },
});

// The first signal closes every connection cleanly; the second ends the process.
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => server.shutdown({ reason: "The server is going away" }));
}

if (server.addr.transport === "tcp") console.log(`Chat at http://localhost:${server.addr.port}/`);
await server.finished;
process.exit(0);
