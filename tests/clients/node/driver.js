// SPDX-License-Identifier: Apache-2.0
// Drives the JavaScript package kafka-connect-client: see tests/clients/README.md.
"use strict";

const readline = require("readline");
const { createRequire } = require("module");

const load = createRequire(process.argv[2] + "/package.json");
const { KafkaConnectClient } = load("kafka-connect-client");
const { version } = load("kafka-connect-client/package.json");

const url = new URL(process.argv[3]);
const client = new KafkaConnectClient({
  protocol: "http",
  host: url.hostname,
  port: url.port,
});
const one = (request) => client.connector(request.name);
const nothing = async (promise) => {
  await promise;
  return null;
};

const short = (status) => ({
  connector: status.connector.state,
  tasks: status.tasks.map((task) => task.state),
});

const states = (map) =>
  Object.fromEntries(Object.entries(map).map(([name, entry]) => [name, entry.status.connector.state]));

const operations = {
  version: async () => (await client.getCluster()).data.version,
  list: async () => (await client.getConnectors()).data,
  expand: async () => states((await client.getConnectors({ expand: "status" })).data),
  create: async (r) => (await client.createConnector(r.name, r.config)).data.name,
  get: async (r) => (await one(r).get()).data.type,
  config: async (r) => (await one(r).getConfig()).data,
  update: async (r) => (await one(r).updateConfig(r.config)).data.config,
  status: async (r) => short((await one(r).getStatus()).data),
  tasks: async (r) => (await one(r).getTasks()).data.map((task) => task.id.task),
  task_status: async (r) => (await one(r).getTaskStatus(r.task)).data.state,
  pause: (r) => nothing(one(r).pause()),
  resume: (r) => nothing(one(r).resume()),
  stop: (r) => nothing(one(r).stop()),
  restart: (r) => nothing(one(r).restart()),
  restart_task: (r) => nothing(one(r).restartTask(r.task)),
  delete: (r) => nothing(one(r).delete()),
  plugins: async () => (await client.getConnectorPlugins()).data.map((plugin) => plugin.class),
  validate: async (r) => (await client.validateConnectorConfig(r.plugin, r.config)).data.error_count,
  reset_topics: (r) => nothing(one(r).resetTopics()),
  offsets: async (r) => (await one(r).getOffsets()).data.offsets,
  alter_offsets: async (r) => (await one(r).alterOffsets(r.offsets)).data.message,
  reset_offsets: async (r) => (await one(r).resetOffsets()).data.message,
};

const say = (value) => process.stdout.write(JSON.stringify(value) + "\n");

async function main() {
  say({ client: "kafka-connect-client (npm)", version, ops: Object.keys(operations).sort() });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    try {
      say({ ok: true, result: await operations[request.op](request) });
    } catch (error) {
      const status = error.response ? error.response.status : null;
      say({ ok: false, status, error: String(error) });
    }
  }
}

main();
