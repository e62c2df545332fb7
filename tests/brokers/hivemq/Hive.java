// SPDX-License-Identifier: Apache-2.0

// HiveMQ CE for the tests: java -cp CLASSPATH Hive.java FOLDER, with its config.xml and data in the folder.
// The user "u" needs the password "pw"; whoever names no user may come in. Topics under deny/ may be neither read nor
// written. SIGTERM ends it in order.
import com.hivemq.embedded.EmbeddedExtension;
import com.hivemq.embedded.EmbeddedHiveMQ;
import com.hivemq.extension.sdk.api.ExtensionMain;
import com.hivemq.extension.sdk.api.auth.PublishAuthorizer;
import com.hivemq.extension.sdk.api.auth.SimpleAuthenticator;
import com.hivemq.extension.sdk.api.auth.SubscriptionAuthorizer;
import com.hivemq.extension.sdk.api.auth.parameter.*;
import com.hivemq.extension.sdk.api.parameter.*;
import com.hivemq.extension.sdk.api.services.Services;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

public class Hive {
    static class Topics implements PublishAuthorizer, SubscriptionAuthorizer {
        @Override
        public void authorizePublish(PublishAuthorizerInput input, PublishAuthorizerOutput output) {
            if (input.getPublishPacket().getTopic().startsWith("deny/")) {
                output.failAuthorization();
            } else {
                output.authorizeSuccessfully();
            }
        }

        @Override
        public void authorizeSubscribe(SubscriptionAuthorizerInput input, SubscriptionAuthorizerOutput output) {
            if (input.getSubscription().getTopicFilter().startsWith("deny/")) {
                output.failAuthorization();
            } else {
                output.authorizeSuccessfully();
            }
        }
    }

    static class Access implements ExtensionMain {
        @Override
        public void extensionStart(ExtensionStartInput start, ExtensionStartOutput ignored) {
            SimpleAuthenticator users = (input, output) -> {
                String user = input.getConnectPacket().getUserName().orElse("");
                ByteBuffer password = input.getConnectPacket().getPassword().orElse(ByteBuffer.allocate(0));
                boolean right = user.equals("u") && StandardCharsets.UTF_8.decode(password).toString().equals("pw");
                if (user.isEmpty() || right) {
                    output.authenticateSuccessfully();
                } else {
                    output.failAuthentication();
                }
            };
            Topics topics = new Topics();
            Services.securityRegistry().setAuthenticatorProvider(input -> users);
            Services.securityRegistry().setAuthorizerProvider(input -> topics);
        }

        @Override
        public void extensionStop(ExtensionStopInput input, ExtensionStopOutput output) {}
    }

    public static void main(String[] args) throws Exception {
        Path folder = Path.of(args[0]);
        for (String name : new String[] {"data", "extensions"}) {
            Files.createDirectories(folder.resolve(name));
        }
        EmbeddedExtension access = EmbeddedExtension.builder().withId("access").withName("access").withVersion("1")
                .withPriority(0).withStartPriority(1000).withAuthor("tests").withExtensionMain(new Access()).build();
        EmbeddedHiveMQ hive = EmbeddedHiveMQ.builder().withConfigurationFolder(folder)
                .withDataFolder(folder.resolve("data")).withExtensionsFolder(folder.resolve("extensions"))
                .withEmbeddedExtension(access).build();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> hive.stop().join()));
        hive.start().join();
    }
}
