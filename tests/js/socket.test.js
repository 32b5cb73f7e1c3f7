import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openSocket } from "../../static/js/lib/socket.js";

class Line {
  static OPEN = 1;
  static last = null;

  constructor(address) {
    Object.assign(this, { address, readyState: 0, sent: [] });
    Line.last = this;
  }

  send(text) {
    this.sent.push(text);
  }

  close() {}
}

before(() => Object.assign(globalThis, { WebSocket: Line, location: { protocol: "https:", host: "flows.example" } }));
after(() => ["WebSocket", "location"].forEach((name) => delete globalThis[name]));

function listening() {
  const heard = [];
  const socket = openSocket("/ws/preview");
  socket.listen({ onMessages: () => {}, onState: (state) => heard.push(state), onLockedOut: () => heard.push("locked out") });
  return { heard, socket };
}

test("what is said while the line is down goes out when it is up", () => {
  const { socket } = listening();
  assert.equal(Line.last.address, "wss://flows.example/ws/preview");
  assert.equal(socket.send({ type: "look" }), false);
  Line.last.readyState = Line.OPEN;
  Line.last.onopen();
  assert.deepEqual(Line.last.sent, ['{"type":"look"}']);
  socket.close();
});

for (const [code, told] of [[1006, ["reconnecting"]], [4403, ["reconnecting", "locked out"]]]) {
  test(`a line closed with ${code} is told as ${told.join(" and ")}`, () => {
    const { heard, socket } = listening();
    Line.last.onclose({ code });
    assert.deepEqual(heard, told);
    socket.close();
  });
}
