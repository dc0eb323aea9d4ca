/** nginx and HAProxy as processes of a test. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestEnd, spawn } from "../harness.ts";
import type { Child } from "../harness.ts";

/** Returns a new folder, which is removed when the test ends. */
function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "proxy-"));
  onTestEnd(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Starts nginx with the directives of its `http` block. */
export function startNginx(http: string): Child {
  const folder = makeFolder();
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${folder}/${name};`).join(" ");
  const path = join(folder, "nginx.conf");
  writeFileSync(
    path,
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr; worker_processes 1;
    events {}
    http { access_log off; ${temporary}\n${http}}`,
  );
  return spawn("nginx", ["-e", "stderr", "-p", folder, "-c", path]);
}

/** Starts HAProxy with a configuration. */
export function startHaproxy(configuration: string): Child {
  const path = join(makeFolder(), "haproxy.cfg");
  writeFileSync(path, configuration);
  return spawn("haproxy", ["-db", "-f", path]);
}
