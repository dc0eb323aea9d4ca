import { internalServerError } from "../http/errors.ts";
import { toRequest } from "../http/request.ts";
import type { RequestHead } from "../http/request_head_parser.ts";
import type { RequestInfo } from "./accept_options.ts";
import type { HttpResponder } from "./http_responder.ts";
import { sendResponse } from "./fetch_handler.ts";

/** A plain HTTP request, and who answers it. */
export interface PlainRequest {
  fetch: (request: Request, info: RequestInfo) => Response | Promise<Response>;
  /** The head, which has been validated. */
  head: RequestHead;
  farewell: HttpResponder;
  info: RequestInfo;
  scheme: "http" | "https";
  /** Told of what `fetch()`, or the stream of its answer's body, has thrown. */
  report: (error: unknown) => void;
}

/** Answers plain HTTP with what `fetch()` gives, and with 500 where it throws. Never rejects. */
export async function answerPlain(request: PlainRequest): Promise<void> {
  const { fetch, head, farewell, info, scheme, report } = request;
  const isHead = head.method === "HEAD";
  try {
    let response: Response;
    try {
      response = await fetch(toRequest(head, { scheme }), info);
      if (!(response instanceof Response)) {
        throw new TypeError(`Cannot answer: expected fetch() to give a Response`);
      }
    } catch (error) {
      report(error);
      response = new Response(`${internalServerError(error).message}\n`, { status: 500 });
    }
    await sendResponse(farewell, response, isHead);
  } catch (error) {
    farewell.abort();
    report(error);
  }
}
