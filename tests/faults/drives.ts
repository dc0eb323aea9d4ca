/** The ways to use a connection, each as an application that echoes and uses the rest of the API. */

import type { CloseInfo } from "../../src/connection/close_info.ts";
import type { SocketHandler, WebSocketConnection } from "../../src/connection/connection.ts";
import type { Message } from "../../src/protocol/message.ts";
import { join } from "../support/bytes.ts";
import { PromiseWatch } from "../support/leaks.ts";

/** The message after which the application closes. */
export const QUIT = "quit";

/** The observations of an application, and the promises that it awaits. */
export class App {
  readonly promises: PromiseWatch = new PromiseWatch();
  /** The messages that were received completely. */
  readonly messages: Message[] = [];
  /** The received part of an incomplete message. */
  parts: Message[] = [];
  /** The calls of its callbacks in order, except messages. */
  readonly told: string[] = [];
  /** The error of its reading. */
  readError: unknown;

  /** Sends a greeting and a Ping. */
  opened(socket: WebSocketConnection): void {
    this.promises.watch("ping()", socket.ping());
    this.promises.watch("send()", socket.send("hi"));
    this.promises.watch("ready", socket.ready);
  }

  /** Receives a message and echoes it. */
  async took(socket: WebSocketConnection, message: Message): Promise<void> {
    this.messages.push(message);
    if (message !== QUIT) {
      await this.promises.watch("send()", socket.send(message as string)).catch(() => {});
    }
    await this.goOn(socket, this.messages.length, message);
  }

  /** Sends a stream after the first message, and closes after the last. */
  async goOn(socket: WebSocketConnection, count: number, message: Message): Promise<void> {
    if (message === QUIT) {
      this.promises.watch("close()", socket.close(1000, "done"));
    } else if (count === 1) {
      const stream = new ReadableStream<string>({
        start(controller) {
          for (const chunk of ["str", "eam"]) controller.enqueue(chunk);
          controller.close();
        },
      });
      await this.promises.watch("send(stream)", socket.send(stream)).catch(() => {});
    }
  }
}

/** A handler function. */
export type Drive = (socket: WebSocketConnection, app: App) => Promise<void>;

async function iterate(socket: WebSocketConnection, app: App): Promise<void> {
  app.opened(socket);
  for await (const message of socket) await app.took(socket, message);
}

async function stream(socket: WebSocketConnection, app: App): Promise<void> {
  const { promises } = app;
  app.opened(socket);
  const reader = socket.readable.getReader();
  const writer = socket.writable.getWriter();
  promises.watch("reader.closed", reader.closed);
  promises.watch("writer.closed", writer.closed);
  try {
    while (true) {
      const { done, value } = await promises.watch("reader.read()", reader.read());
      if (done) break;
      app.messages.push(value);
      if (value === QUIT) {
        promises.watch("writer.close()", writer.close());
        continue;
      }
      promises.watch("writer.ready", writer.ready);
      await promises.watch("writer.write()", writer.write(value as string)).catch(() => {});
      await app.goOn(socket, app.messages.length, value);
    }
  } catch (error) {
    app.readError = error;
  }
}

async function streamMessages(socket: WebSocketConnection, app: App): Promise<void> {
  app.opened(socket);
  for await (const { type, readable } of socket.messageStreams()) {
    // Echoes while it is received. If that fails, the received part can still be read.
    const echo = new TransformStream<Message, Message>();
    const writer = echo.writable.getWriter();
    const sent = app.promises.watch("send()", socket.send(echo.readable as ReadableStream<string>));
    writer.closed.catch(() => {});
    try {
      for await (const part of readable as ReadableStream<Message>) {
        app.parts.push(part);
        await app.promises.watch("the echo's write()", writer.write(part)).catch(() => {});
      }
      const message = joined(type, app.parts);
      app.parts = [];
      app.messages.push(message);
      await app.promises.watch("the echo's close()", writer.close()).catch(() => {});
      await sent.catch(() => {});
      await app.goOn(socket, app.messages.length, message);
    } catch (error) {
      app.readError = error; // The message has been cut short.
      await writer.abort(error).catch(() => {});
      await sent.catch(() => {});
    }
  }
}

/** Joins the parts of a message. */
export function joined(type: "text" | "binary", parts: readonly Message[]): Message {
  return type === "text" ? parts.join("") : join(...parts as Uint8Array[]);
}

/** The ways that both roles have. */
export const DRIVES: Readonly<Record<string, Drive>> = {
  "for await": iterate,
  "readable and writable": stream,
  "messageStreams": streamMessages,
};

/** The callbacks, which only a server's connection has. */
export function callbacks(app: App): SocketHandler<unknown> {
  return {
    open(socket) {
      app.told.push("open");
      app.opened(socket);
    },
    message: (socket, message) => app.promises.watch("message()", app.took(socket, message)),
    error: () => void app.told.push("error"),
    close: (_socket, info: CloseInfo) => void app.told.push(`close ${info.closeCode}`),
  };
}
