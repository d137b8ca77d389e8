import java.nio.file.Path;
import org.codelibs.opensearch.runner.OpenSearchRunner;

/**
 * One OpenSearch node on loopback, for tests and for trying search out. Never for a shop: one node keeps no second copy.
 * Arguments: an empty folder, the HTTP port. Prints "ready" when it serves; ends when its input ends.
 */
public class SearchNode {
    public static void main(String[] args) throws Exception {
        String folder = Path.of(args[0]).toAbsolutePath().toString();
        int port = Integer.parseInt(args[1]);
        try (OpenSearchRunner runner = new OpenSearchRunner()) {
            runner.onBuild((number, settings) -> {
                settings.put("http.port", port);
                settings.put("network.host", "127.0.0.1");
                settings.put("transport.port", "39300-39399");
                settings.put("discovery.type", "single-node");
                settings.put("cluster.routing.allocation.disk.threshold_enabled", false);
                settings.put("action.auto_create_index", false);
            }).build(OpenSearchRunner.newConfigs()
                .clusterName("doorbuster")
                .numOfNode(1)
                .basePath(folder)
                .moduleTypes("")
                .pluginTypes("org.opensearch.analysis.common.CommonAnalysisPlugin,"
                    + "org.opensearch.painless.PainlessPlugin,"
                    + "org.opensearch.transport.Netty4Plugin"));
            System.out.println("ready");
            System.out.flush();
            while (System.in.read() >= 0) { } // whoever started it is gone when the input ends
        }
        System.exit(0);
    }
}
