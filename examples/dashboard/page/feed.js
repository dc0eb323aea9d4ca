// A client of the subprotocol sluice.topics.v1 in forty lines: it reconnects, and continues kept topics.

/** Calls `onEvent` with what the server sends of the topics. */
export function openFeed(url, topics, onEvent) {
  const positions = new Map(); // By topic: { epoch, offset } of the last message that was handled.
  let delay = 250;

  function connect() {
    const socket = new WebSocket(url, "sluice.topics.v1");
    const names = new Map(); // The topics by their numbers on this connection.

    socket.onopen = () => {
      delay = 250;
      for (const topic of topics) {
        const position = positions.get(topic);
        const since = position && `${position.epoch}:${position.offset}`;
        socket.send(JSON.stringify(since ? { subscribe: topic, since } : { subscribe: topic }));
      }
    };

    socket.onmessage = ({ data }) => {
      if (data.startsWith("{")) {
        const control = JSON.parse(data);
        if ("topic" in control) {
          names.set(control.topic, control.name);
          const [epoch, offset] = control.at?.split(":") ?? [];
          if (epoch && !control.recovered) positions.set(control.name, { epoch, offset });
        }
        onEvent({ topic: names.get(control.topic ?? control.gap), ...control, control: true });
        return;
      }
      const [, number, offset, text] = /^(\d+)(?: (\d+))?\n([^]*)$/.exec(data);
      const topic = names.get(Number(number));
      // It was sent before the subscription began, or after it ended.
      if (topic === undefined) return;
      onEvent({ topic, data: text });
      if (offset) positions.get(topic).offset = offset;
    };

    socket.onclose = () => {
      onEvent({ closed: true });
      setTimeout(connect, Math.random() * (delay = Math.min(delay * 2, 30_000)));
    };
  }
  connect();
}
