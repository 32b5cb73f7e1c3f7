/** A WebSocket that comes back: messages wait for it, and whoever listens is told when it went and returned. */

const FIRST_WAIT_MS = 300;
const LONGEST_WAIT_MS = 5000;
const LOCKED_OUT = 4403;

/**
 * @typedef {{onMessages: (messages: object[]) => void, onState: (state: "open"|"reconnecting") => void, onLockedOut?: () => void}} Listener
 *   onLockedOut: whoever opened this page may not have the socket any more
 * @param {string} path such as /ws/preview
 * @returns {{listen: (listener: Listener) => void, send: (message: object) => boolean, close: () => void}} what is sent
 *   while it is away goes out on return
 */
export function openSocket(path) {
  const listeners = [];
  let socket = null;
  let wait = FIRST_WAIT_MS;
  let timer = null;
  let closed = false;
  let waiting = [];
  connect();
  return { listen: (listener) => void listeners.push(listener), send, close };

  /** @returns {boolean} did it go out now? */
  function send(message) {
    const isOpen = socket?.readyState === WebSocket.OPEN;
    if (isOpen) socket.send(JSON.stringify(message));
    else waiting.push(message);
    return isOpen;
  }

  function close() {
    closed = true;
    clearTimeout(timer);
    socket?.close();
  }

  function connect() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(`${scheme}//${location.host}${path}`);
    socket.onopen = opened;
    socket.onmessage = heard;
    socket.onclose = dropped;
  }

  function heard({ data }) {
    const messages = [JSON.parse(data)].flat();
    for (const listener of listeners) listener.onMessages(messages);
  }

  function opened() {
    wait = FIRST_WAIT_MS;
    tell("open");
    const messages = waiting;
    waiting = [];
    messages.forEach(send);
  }

  function dropped({ code }) {
    if (closed) return;
    tell("reconnecting");
    if (code === LOCKED_OUT) for (const listener of listeners) listener.onLockedOut?.();
    timer = setTimeout(connect, wait * (0.75 + Math.random() / 2));
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }

  function tell(state) {
    for (const listener of listeners) listener.onState(state);
  }
}
