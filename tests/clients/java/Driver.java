// SPDX-License-Identifier: Apache-2.0
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.sourcelab.kafka.connect.apiclient.Configuration;
import org.sourcelab.kafka.connect.apiclient.KafkaConnectClient;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorPluginConfigDefinition;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorStatus;
import org.sourcelab.kafka.connect.apiclient.request.dto.NewConnectorDefinition;
import org.sourcelab.kafka.connect.apiclient.request.post.PostConnectorRestart;
import org.sourcelab.kafka.connect.apiclient.rest.exceptions.InvalidRequestException;

/** Drives the JVM library org.sourcelab:kafka-connect-client: see tests/clients/README.md. */
public final class Driver {
    private static final ObjectMapper JSON = new ObjectMapper();

    private interface Operation {
        Object run(JsonNode request) throws Exception;
    }

    private final KafkaConnectClient client;
    private final Map<String, Operation> operations = new TreeMap<>();

    private Driver(String url) {
        client = new KafkaConnectClient(new Configuration(url));
        addReads();
        addWrites();
    }

    private static String name(JsonNode request) {
        return request.get("name").asText();
    }

    private static Map<String, String> config(JsonNode request) {
        Map<String, String> config = new HashMap<>();
        request.get("config").fields().forEachRemaining(
            entry -> config.put(entry.getKey(), entry.getValue().asText()));
        return config;
    }

    private static Map<String, Object> states(ConnectorStatus status) {
        Map<String, Object> states = new HashMap<>();
        states.put("connector", status.getConnector().get("state"));
        states.put("tasks", status.getTasks().stream().map(ConnectorStatus.TaskStatus::getState)
            .collect(Collectors.toList()));
        return states;
    }

    private Object expand() {
        Map<String, Object> found = new HashMap<>();
        for (ConnectorStatus status :
                client.getConnectorsWithExpandedStatus().getAllStatuses()) {
            found.put(status.getName(), status.getConnector().get("state"));
        }
        return found;
    }

    private void addReads() {
        operations.put("version", r -> client.getConnectServerVersion().getVersion());
        operations.put("list", r -> client.getConnectors());
        operations.put("expand", r -> expand());
        operations.put("get", r -> client.getConnector(name(r)).getType());
        operations.put("config", r -> client.getConnectorConfig(name(r)));
        operations.put("status", r -> states(client.getConnectorStatus(name(r))));
        operations.put("tasks", r -> client.getConnectorTasks(name(r)).stream()
            .map(task -> task.getId().getTask()).collect(Collectors.toList()));
        operations.put("task_status",
            r -> client.getConnectorTaskStatus(name(r), r.get("task").asInt()).getState());
        operations.put("plugins", r -> client.getConnectorPlugins().stream()
            .map(plugin -> plugin.getClassName()).collect(Collectors.toList()));
        operations.put("validate", r -> client.validateConnectorPluginConfig(
            ConnectorPluginConfigDefinition.newBuilder().withName(r.get("plugin").asText())
                .withConfig(config(r)).build()).getErrorCount());
        operations.put("topics", r -> client.getConnectorTopics(name(r)).getTopics());
    }

    private void addWrites() {
        operations.put("create", r -> client.addConnector(NewConnectorDefinition.newBuilder()
            .withName(name(r)).withConfig(config(r)).build()).getName());
        operations.put("update",
            r -> client.updateConnectorConfig(name(r), config(r)).getConfig());
        operations.put("pause", r -> must(client.pauseConnector(name(r))));
        operations.put("resume", r -> must(client.resumeConnector(name(r))));
        operations.put("restart", r -> must(client.restartConnector(name(r))));
        operations.put("restart_failed", r -> must(client.restartConnector(
            new PostConnectorRestart(name(r)).withIncludeTasks(true).withOnlyFailed(true))));
        operations.put("restart_task",
            r -> must(client.restartConnectorTask(name(r), r.get("task").asInt())));
        operations.put("delete", r -> must(client.deleteConnector(name(r))));
        operations.put("reset_topics", r -> must(client.resetConnectorTopics(name(r))));
    }

    private static Object must(Boolean done) {
        if (!done) {
            throw new IllegalStateException("the client says that it was not done");
        }
        return null;
    }

    private Map<String, Object> answer(JsonNode request) {
        Map<String, Object> answer = new HashMap<>();
        try {
            answer.put("result", operations.get(request.get("op").asText()).run(request));
            answer.put("ok", true);
        } catch (Exception error) {
            boolean told = error instanceof InvalidRequestException;
            answer.put("ok", false);
            answer.put("status", told ? ((InvalidRequestException) error).getErrorCode() : null);
            answer.put("error", error.toString());
        }
        return answer;
    }

    private static void say(Map<String, Object> value) throws Exception {
        System.out.println(JSON.writeValueAsString(value));
        System.out.flush();
    }

    public static void main(String[] arguments) throws Exception {
        Driver driver = new Driver(arguments[0]);
        Map<String, Object> hello = new HashMap<>();
        hello.put("client", "org.sourcelab:kafka-connect-client");
        hello.put("version", arguments[1]);
        hello.put("ops", new ArrayList<>(driver.operations.keySet()));
        say(hello);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            say(driver.answer(JSON.readTree(line)));
        }
    }
}
