using Holdfast.Testing;
using Holdfast.Testing.Manifests;
using Xunit;

namespace Holdfast.Tests.Deploy;

/// <summary>The validator that every manifest is judged by.</summary>
public sealed class ManifestValidatorTests
{
    private static readonly SchemaCatalog Schemas = new(Repository.Schemas);

    private const string Deployment = """
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: app
          labels: {app.kubernetes.io/name: app}
        spec:
          replicas: 2
          strategy:
            rollingUpdate: {maxUnavailable: 0, maxSurge: 25%}
          selector:
            matchLabels: {app.kubernetes.io/name: app}
          template:
            metadata:
              creationTimestamp: null
              labels: {app.kubernetes.io/name: app}
            spec:
              containers:
                - name: app
                  image: app:1
                  ports:
                    - {name: web, containerPort: 8080}
                    - {name: dns, containerPort: 8080, protocol: UDP}
                  resources:
                    requests: {cpu: 0.5, memory: 64Mi}
                    limits: {cpu: 1500m, memory: 1e9}
                  readinessProbe:
                    httpGet: {path: /healthz, port: web}
                  securityContext: {readOnlyRootFilesystem: yes}
              volumes:
                - {name: token, secret: {secretName: token, defaultMode: 0440}}
                - {name: scratch, emptyDir: {}}
        """;

    private const string Route = """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: app}
        spec:
          parentRefs: [{name: public}]
          hostnames: [app.example.com]
          rules:
            - matches: [{path: {type: PathPrefix, value: /ws}}]
              filters:
                - {type: RequestHeaderModifier, requestHeaderModifier: {remove: [x-internal]}}
              timeouts: {request: 0s}
              backendRefs: [{name: app, port: 80}]
        """;

    private const string DestinationRule = """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: app}
        spec:
          host: app
          trafficPolicy:
            loadBalancer: {simple: LEAST_REQUEST}
        """;

    [Theory]
    [InlineData(Deployment)]
    [InlineData(Route)]
    [InlineData(DestinationRule)]
    [InlineData("")]
    [InlineData("# nothing\n---\n---\n" + Deployment + "\n---\n" + Route)]
    public void What_is_right_has_no_fault(string text) => Assert.Empty(Faults(text));

    [Theory]
    [InlineData("replicas: 2", "replica: 2", "7:3: spec.replica: is no field of this object")]
    [InlineData("image: app:1", "imag: app:1", "19:11: spec.template.spec.containers[0].imag: is no field of this object")]
    [InlineData("replicas: 2", "replicas: \"2\"", "7:13: spec.replicas: is the text '2'; a whole number is wanted")]
    [InlineData("replicas: 2", "replicas: 2.5", "7:13: spec.replicas: is the number 2.5; a whole number is wanted")]
    [InlineData("replicas: 2", "replicas: 3000000000", "7:13: spec.replicas: 3000000000 is out of range")]
    [InlineData("replicas: 2", "replicas:", "7:12: spec.replicas: has no value; a whole number is wanted, or no such line")]
    [InlineData("replicas: 2", "replicas: [2]", "7:13: spec.replicas: is a list; a whole number is wanted")]
    [InlineData("maxUnavailable: 0", "maxUnavailable: true", "9:37: spec.strategy.rollingUpdate.maxUnavailable: is the boolean true; a whole number or text is wanted")]
    [InlineData("labels: {app.kubernetes.io/name: app}\nspec", "labels: {tier: 1}\nspec", "5:18: metadata.labels.tier: is the number 1; text (in quotes) is wanted")]
    [InlineData("labels: {app.kubernetes.io/name: app}\nspec", "labels: {tls: on}\nspec", "5:17: metadata.labels.tls: is the boolean on; text (in quotes) is wanted")]
    [InlineData("  name: app\n  labels", "  labels", "4:3: metadata.name: is missing")]
    [InlineData("  name: app\n  labels", "  nam: app\n  labels", "4:3: metadata.nam: is no field of this object")]
    [InlineData("          image: app:1\n", "          image: app:1\n          image: app:2\n", "20:11: not valid YAML: Duplicate key image")]
    [InlineData("- name: app\n          image", "- image", "18:11: spec.template.spec.containers[0].name: is missing")]
    [InlineData("protocol: UDP", "protocol: udp", "22:58: spec.template.spec.containers[0].ports[1].protocol: 'udp' is none of SCTP, TCP, UDP")]
    [InlineData(", protocol: UDP", "", "22:15: spec.template.spec.containers[0].ports[1]: stands twice in this list (containerPort: 8080, protocol: TCP)")]
    [InlineData("memory: 64Mi", "memory: 64MB", "24:42: spec.template.spec.containers[0].resources.requests.memory: is the text '64MB'; a quantity such as 100m or 64Mi is wanted")]
    [InlineData("port: web}", "port: [web]}", "27:45: spec.template.spec.containers[0].readinessProbe.httpGet.port: is a list; a whole number or text is wanted")]
    [InlineData("emptyDir: {}", "emptyDir: 5", "31:37: spec.template.spec.volumes[1].emptyDir: is the number 5; a mapping is wanted")]
    [InlineData("kind: Deployment", "kind: Deploymnt", "1:1: kind: there is no schema for apps/v1 Deploymnt")]
    [InlineData("apps/v1", "apps/v1beta1", "1:1: kind: there is no schema for apps/v1beta1 Deployment")]
    [InlineData("kind: Deployment\n", "", "1:1: an object needs apiVersion and kind")]
    [InlineData("creationTimestamp: null", "creationTimestamp: yesterday", "14:26: spec.template.metadata.creationTimestamp: 'yesterday' is no time of RFC 3339")]
    public void A_fault_in_a_built_in_kind_is_found_with_its_place(string right, string wrong, string fault) => AssertFault(Deployment, right, wrong, fault);

    [Theory]
    [InlineData("backendRefs", "backendRef", "12:7: spec.rules[0].backendRef: is no field of this object")]
    [InlineData("type: PathPrefix", "type: Prefix", "8:31: spec.rules[0].matches[0].path.type: 'Prefix' is none of Exact, PathPrefix, RegularExpression")]
    [InlineData("request: 0s", "request: 0", "11:27: spec.rules[0].timeouts.request: is the number 0; text (in quotes) is wanted")]
    [InlineData("request: 0s", "request: 1d", "11:27: spec.rules[0].timeouts.request: '1d' does not fit the pattern")]
    [InlineData("port: 80}", "port: 80000}", "12:39: spec.rules[0].backendRefs[0].port: 80000 is out of range")]
    [InlineData("hostnames: [app.example.com]", "hostnames: [\"\"]", "6:15: spec.hostnames[0]: has 0 characters; at least 1 are wanted")]
    [InlineData("metadata: {name: app}", "metadata: {name: app, lables: {}}", "3:23: metadata.lables: is no field of this object")]
    public void A_fault_in_a_custom_resource_is_found_with_its_place(string right, string wrong, string fault) => AssertFault(Route, right, wrong, fault);

    [Fact]
    public void Forms_that_exclude_each_other_are_told() => AssertFault(
        DestinationRule,
        "simple: LEAST_REQUEST",
        "simple: LEAST_REQUEST, consistentHash: {useSourceIp: true}",
        "7:19: spec.trafficPolicy.loadBalancer: mixes forms that exclude each other");

    [Fact]
    public void An_object_of_free_form_takes_any_field() => Assert.Empty(Faults("""
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata: {name: apps.example.com}
        spec:
          group: example.com
          scope: Namespaced
          names: {kind: App, plural: apps}
          versions:
            - name: v1
              served: true
              storage: true
              schema:
                openAPIV3Schema: {type: object, default: {anything: [1, two]}}
        """));

    [Theory]
    [InlineData("[1, 2]", "1:1: not an object but a list")]
    [InlineData("a: [", "not valid YAML: ")]
    [InlineData("a: {b: 1", "not valid YAML: ")]
    public void What_is_no_object_is_a_fault(string text, string fault) => Assert.Contains(Faults(text), f => f.Contains(fault, StringComparison.Ordinal));

    [Theory]
    [InlineData("0440", 288)]
    [InlineData("0o440", 288)]
    [InlineData("0x1F", 31)]
    [InlineData("0b101", 5)]
    [InlineData("-12", -12)]
    [InlineData("1_000", 1000)]
    [InlineData("0", 0)]
    public void Whole_numbers_are_read_as_kubectl_reads_them(string text, long value) =>
        Assert.Equal(value, YamlValue.IntegerOf(new(text)));

    private static void AssertFault(string text, string right, string wrong, string fault)
    {
        Assert.Contains(right, text, StringComparison.Ordinal);
        var index = text.IndexOf(right, StringComparison.Ordinal);
        var found = Faults(text[..index] + wrong + text[(index + right.Length)..]);
        Assert.True(found.Any(f => f.StartsWith("test.yaml:" + fault, StringComparison.Ordinal)), string.Join('\n', found.DefaultIfEmpty("no fault")));
    }

    private static List<string> Faults(string text)
    {
        if (Requires.Schemas(Repository.Schemas) is { } missing)
            Assert.Skip(missing);
        return [.. ManifestValidator.Validate(text, "test.yaml", Schemas).Select(f => f.ToString())];
    }
}
