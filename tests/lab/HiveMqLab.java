// SPDX-License-Identifier: Apache-2.0
import com.hivemq.embedded.EmbeddedExtension;
import com.hivemq.embedded.EmbeddedHiveMQ;
import com.hivemq.extension.sdk.api.ExtensionMain;
import com.hivemq.extension.sdk.api.auth.SimpleAuthenticator;
import com.hivemq.extension.sdk.api.parameter.*;
import com.hivemq.extension.sdk.api.services.Services;
import java.nio.file.Path;

/** HiveMQ CE in this process, with an extension that lets everybody in. */
public final class HiveMqLab {
    static final class AllowAll implements ExtensionMain {
        @Override
        public void extensionStart(ExtensionStartInput input, ExtensionStartOutput output) {
            SimpleAuthenticator everybody = (in, out) -> out.authenticateSuccessfully();
            Services.securityRegistry().setAuthenticatorProvider(ignored -> everybody);
        }

        @Override
        public void extensionStop(ExtensionStopInput input, ExtensionStopOutput output) {}
    }

    public static void main(String[] args) {
        Path home = Path.of(args[0]);
        EmbeddedExtension allow = EmbeddedExtension.builder().withId("lab").withName("lab")
            .withVersion("1").withAuthor("lab").withPriority(0).withStartPriority(1000)
            .withExtensionMain(new AllowAll()).build();
        EmbeddedHiveMQ broker = EmbeddedHiveMQ.builder().withConfigurationFolder(home.resolve("conf"))
            .withDataFolder(home.resolve("data")).withExtensionsFolder(home.resolve("extensions"))
            .withEmbeddedExtension(allow).build();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> broker.stop().join()));
        broker.start().join();
    }
}
