import type { WebSocketConnection } from "../connection/connection.ts";
import type { ResolvedHandler } from "../connection/handler.ts";
import { DuplicateExtensionError } from "../handshake/upgrade_response.ts";
import { CloseCode } from "../protocol/close_code.ts";
import { WebSocketError } from "../protocol/errors.ts";
import { connect as connectTransport, startTls } from "../transport/runtime.ts";
import { TlsError } from "../transport/transport.ts";
import type { ConnectTarget, Transport } from "../transport/transport.ts";
import { openWebSocket } from "./client_handshake.ts";
import { withOneOffer } from "./connect_plan.ts";
import type { ConnectPlan } from "./connect_plan.ts";
import { openProxyTunnel } from "./proxy_tunnel.ts";

/**
 * Connects a transport, through the proxy if there is one, and opens a WebSocket on it.
 *
 * @throws {unknown} The errors of {@linkcode connect}, except those for malformed options.
 */
export async function dial(
  plan: ConnectPlan,
  signal: AbortSignal,
  handler?: ResolvedHandler<unknown>,
): Promise<WebSocketConnection> {
  try {
    return await openWebSocket(await reachServer(plan, signal), plan, signal, handler);
  } catch (error) {
    // Some servers, such as libsoup 3.2, accept each of several offers of one extension, and compress
    // twice. Nothing but the handshake has been sent, so another attempt with one offer is safe.
    if (!(error instanceof DuplicateExtensionError) || plan.offers.length === 1) throw error;
    const retry = withOneOffer(plan);
    return await openWebSocket(await reachServer(retry, signal), retry, signal, handler);
  }
}

/** Connects a transport to the server, through the proxy if there is one. */
async function reachServer(plan: ConnectPlan, signal: AbortSignal): Promise<Transport> {
  return plan.proxy === undefined
    ? await reach(nameOf(plan.target), signal, connectTransport(plan.target, signal))
    : await reachThroughProxy(plan, signal);
}

async function reachThroughProxy(plan: ConnectPlan, signal: AbortSignal): Promise<Transport> {
  const { limits, target } = plan;
  const proxy = plan.proxy!;
  const { hostname, port, tls } = target;
  const transport = await reach(
    `proxy ${nameOf(proxy)}`,
    signal,
    connectTransport({ hostname: proxy.hostname, port: proxy.port }, signal),
  );
  await openProxyTunnel(transport, { proxy, hostname, port, limits, signal });
  if (tls === undefined) return transport;
  const name = `${nameOf(target)}, through proxy ${nameOf(proxy)}`;
  return await reach(name, signal, startTls(transport, tls, hostname, signal));
}

/** Returns the words for a host in error messages. */
function nameOf({ hostname, port, path }: ConnectTarget): string {
  return path ?? `${hostname}, port ${port}`;
}

/** Awaits a transport; turns an error of the runtime into a {@linkcode WebSocketError}. */
async function reach(
  name: string,
  signal: AbortSignal,
  attempt: Promise<Transport>,
): Promise<Transport> {
  try {
    return await attempt;
  } catch (cause) {
    if (signal.aborted || cause instanceof WebSocketError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new WebSocketError(`Cannot connect to ${name}: ${reason}`, {
      code: codeOf(cause),
      closeCode: CloseCode.AbnormalClosure,
      cause,
    });
  }
}

/** The names and codes of the errors with which a runtime or a kernel denies permission. */
const DENIED = /* @__PURE__ */ new Set<unknown>([
  "NotCapable",
  "PermissionDenied",
  "EACCES",
  "EPERM",
]);

function codeOf(cause: unknown): string {
  if (cause instanceof TlsError) return "ERR_TLS";
  const { name, code } = cause as { name?: unknown; code?: unknown };
  return DENIED.has(name) || DENIED.has(code) ? "ERR_PERMISSION" : "ERR_CONNECT";
}
