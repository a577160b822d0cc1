// SPDX-License-Identifier: Apache-2.0
// What Kafka's own converters and transformations make of the cases in cases.json: one JSON line for
// each case on standard output. Run by tests/golden/regenerate with Kafka's jars on the class path.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.config.ConfigValue;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.storage.HeaderConverter;
import org.apache.kafka.connect.transforms.Transformation;
import org.apache.kafka.connect.transforms.predicates.Predicate;

public class Golden {
    static final ObjectMapper MAPPER = new ObjectMapper();

    static JsonConverter json() {
        JsonConverter converter = new JsonConverter();
        converter.configure(Map.of("schemas.enable", "true", "converter.type", "value"));
        return converter;
    }

    static byte[] bytes(JsonNode text) {
        return text == null || text.isNull() ? null : text.asText().getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] bytes) {
        return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
    }

    static Map<String, String> strings(JsonNode object) {
        Map<String, String> map = new HashMap<>();
        if (object != null) {
            object.fields().forEachRemaining(e -> map.put(e.getKey(), e.getValue().asText()));
        }
        return map;
    }

    static Object make(String name) throws Exception {
        return Class.forName(name).getDeclaredConstructor().newInstance();
    }

    static SchemaAndValue read(JsonNode text, JsonNode plain) {
        if (plain != null && !plain.isNull()) {
            JsonConverter schemaless = new JsonConverter();
            schemaless.configure(Map.of("schemas.enable", "false", "converter.type", "value"));
            return schemaless.toConnectData("t", bytes(plain));
        }
        return json().toConnectData("t", bytes(text));
    }

    // ---- keys ----

    static void keys(String name, ObjectNode result) throws Exception {
        Object plugin = make(name);
        ConfigDef definition = (ConfigDef) plugin.getClass().getMethod("config").invoke(plugin);
        ArrayNode keys = result.putArray("keys");
        for (ConfigDef.ConfigKey key : definition.configKeys().values()) {
            String fallback = key.hasDefault()
                ? ConfigDef.convertToString(key.defaultValue, key.type) : "(required)";
            keys.add(String.join(" ", key.name, key.type.name(), String.valueOf(fallback),
                key.importance.name(), String.valueOf(key.group), String.valueOf(key.orderInGroup),
                key.width.name(), key.displayName));
        }
    }

    // ---- converters ----

    static void convert(JsonNode test, ObjectNode result) throws Exception {
        Object converter = make(test.get("converter").asText());
        Map<String, String> config = strings(test.get("config"));
        config.put("converter.type", test.path("header").asBoolean() ? "header" : "value");
        if (converter instanceof Converter c) {
            c.configure(config, false);
        } else {
            ((HeaderConverter) converter).configure(config);
        }
        boolean header = !(converter instanceof Converter);
        if (test.has("hex") || test.has("text")) {
            byte[] in = test.has("hex") ? HexFormat.of().parseHex(test.get("hex").asText())
                : bytes(test.get("text"));
            SchemaAndValue read = header ? ((HeaderConverter) converter).toConnectHeader("t", "h", in)
                : ((Converter) converter).toConnectData("t", in);
            result.put("value", text(json().fromConnectData("t", read.schema(), read.value())));
            return;
        }
        SchemaAndValue in = read(test.get("value"), test.get("plain"));
        byte[] out = header
            ? ((HeaderConverter) converter).fromConnectHeader("t", "h", in.schema(), in.value())
            : ((Converter) converter).fromConnectData("t", in.schema(), in.value());
        if (out == null) {
            result.putNull("bytes");
        } else if (test.path("binary").asBoolean()) {
            result.put("bytes", HexFormat.of().formatHex(out));
        } else {
            result.put("bytes", text(out));
        }
    }

    // ---- transformations ----

    @SuppressWarnings("rawtypes")
    record Link(Transformation transform, Predicate predicate, boolean negate) {
    }

    @SuppressWarnings("rawtypes")
    static List<Link> chain(Map<String, String> config) throws Exception {
        List<Link> links = new ArrayList<>();
        for (String alias : config.get("transforms").split(",")) {
            Map<String, String> own = sub(config, "transforms." + alias + ".");
            Transformation transform = (Transformation) make(own.remove("type"));
            String name = own.remove("predicate");
            boolean negate = Boolean.parseBoolean(own.remove("negate"));
            for (ConfigValue value : transform.config().validate(own)) {
                if (!value.errorMessages().isEmpty()) {
                    throw new ConfigException(value.errorMessages().get(0));
                }
            }
            transform.configure(own);
            Predicate predicate = null;
            if (name != null) {
                Map<String, String> keys = sub(config, "predicates." + name + ".");
                predicate = (Predicate) make(keys.remove("type"));
                predicate.configure(keys);
            }
            links.add(new Link(transform, predicate, negate));
        }
        return links;
    }

    static Map<String, String> sub(Map<String, String> config, String prefix) {
        Map<String, String> own = new HashMap<>();
        config.forEach((key, value) -> {
            if (key.startsWith(prefix)) {
                own.put(key.substring(prefix.length()), value);
            }
        });
        return own;
    }

    static ConnectRecord<?> record(JsonNode test) {
        SchemaAndValue key = read(test.get("key"), test.get("plain_key"));
        SchemaAndValue value = read(test.get("value"), test.get("plain"));
        ConnectHeaders headers = new ConnectHeaders();
        if (test.has("headers")) {
            for (JsonNode header : test.get("headers")) {
                headers.add(header.get(0).asText(), read(header.get(1), null));
            }
        }
        String topic = test.path("topic").asText("t");
        long timestamp = test.path("timestamp").asLong(1577836800123L);
        if (test.has("offset")) {
            return new SinkRecord(topic, test.path("partition").asInt(0), key.schema(), key.value(),
                value.schema(), value.value(), test.get("offset").asLong(), timestamp,
                TimestampType.CREATE_TIME, headers);
        }
        Integer partition = test.has("partition") ? test.get("partition").asInt() : null;
        return new SourceRecord(Map.of(), Map.of(), topic, partition, key.schema(), key.value(),
            value.schema(), value.value(), timestamp, headers);
    }

    @SuppressWarnings({"rawtypes", "unchecked"})
    static void transform(JsonNode test, ObjectNode result) throws Exception {
        List<Link> links = chain(strings(test.get("chain")));
        ConnectRecord record = record(test);
        for (Link link : links) {
            if (link.predicate() == null || link.negate() != link.predicate().test(record)) {
                record = link.transform().apply(record);
            }
            if (record == null) {
                result.put("dropped", true);
                return;
            }
        }
        result.put("topic", record.topic());
        result.put("timestamp", record.timestamp());
        result.put("key", text(json().fromConnectData("t", record.keySchema(), record.key())));
        result.put("value", text(json().fromConnectData("t", record.valueSchema(), record.value())));
        ArrayNode headers = result.putArray("headers");
        for (Header header : ((ConnectRecord<?>) record).headers()) {
            headers.addArray().add(header.key())
                .add(text(json().fromConnectData("t", header.schema(), header.value())));
        }
    }

    public static void main(String[] arguments) throws Exception {
        StringBuilder out = new StringBuilder();
        for (JsonNode test : MAPPER.readTree(new File(arguments[0]))) {
            ObjectNode result = MAPPER.createObjectNode();
            result.put("name", test.get("name").asText());
            try {
                if (test.has("keys")) {
                    keys(test.get("keys").asText(), result);
                } else if (test.has("converter")) {
                    convert(test, result);
                } else {
                    transform(test, result);
                }
            } catch (Exception e) {
                result.removeAll().put("name", test.get("name").asText());
                result.put("error", e.getMessage());
            }
            out.append(out.isEmpty() ? "[\n" : ",\n").append(MAPPER.writeValueAsString(result));
        }
        System.out.println(out.append("\n]"));
    }
}
