using System.IO.Compression;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Holdfast.Functional.Tests.Dev;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Holdfast.Functional.Tests.Container;

/// <summary>A registry on loopback that holds one image of one layer, to be pulled by the SDK (the distribution specification's pull, and no more).</summary>
internal sealed class LoopbackRegistry : IAsyncDisposable
{
    public const string Image = "base:1";

    private const string ManifestType = "application/vnd.docker.distribution.manifest.v2+json";

    private readonly WebApplication _app;
    private readonly Dictionary<string, (string Type, Func<Stream> Open)> _content = new(StringComparer.Ordinal);

    private LoopbackRegistry(WebApplication app) => _app = app;

    /// <summary>For example 127.0.0.1:41231.</summary>
    public string Host { get; private set; } = "";

    /// <param name="root">The image's files.</param>
    /// <param name="folder">Where the layer is kept meanwhile.</param>
    public static async Task<LoopbackRegistry> StartAsync(string root, string folder)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
        builder.Services.AddOptions();
        var registry = new LoopbackRegistry(builder.Build());
        await registry.AddAsync(root, folder);
        registry._app.Run(registry.AnswerAsync);
        await registry._app.StartAsync();
        registry.Host = new Uri(registry._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()).Authority;
        return registry;
    }

    public async ValueTask DisposeAsync()
    {
        using (var now = new CancellationTokenSource(TimeSpan.FromSeconds(2)))
            await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    private async Task AddAsync(string root, string folder)
    {
        var (tar, layer) = (Path.Combine(folder, "layer.tar"), Path.Combine(folder, "layer.tar.gz"));
        await ShellCommand.RunAsync("tar --numeric-owner --owner=0 --group=0 -C \"$1\" -cf \"$2\" .", [root, tar]);
        await using (var plain = File.OpenRead(tar))
        await using (var packed = new GZipStream(File.Create(layer), CompressionLevel.Fastest))
            await plain.CopyToAsync(packed);

        var configuration = JsonBytes(new JsonObject
        {
            ["architecture"] = "amd64",
            ["os"] = "linux",
            ["config"] = new JsonObject
            {
                ["User"] = ImageConfiguration.OfBase.User,
                ["Env"] = new JsonArray([.. ImageConfiguration.OfBase.Environment.Select(v => JsonValue.Create($"{v.Key}={v.Value}"))]),
                ["Entrypoint"] = new JsonArray(ImageConfiguration.OfBase.Entrypoint),
                ["Cmd"] = new JsonArray("--info"),
            },
            ["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = new JsonArray(await DigestAsync(() => File.OpenRead(tar))) },
            ["history"] = new JsonArray(new JsonObject { ["created_by"] = "debootstrap" }),
        });
        var manifest = JsonBytes(new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = ManifestType,
            ["config"] = await StoreAsync("application/vnd.docker.container.image.v1+json", () => new MemoryStream(configuration)),
            ["layers"] = new JsonArray(await StoreAsync("application/vnd.docker.image.rootfs.diff.tar.gzip", () => File.OpenRead(layer))),
        });
        _ = await StoreAsync(ManifestType, () => new MemoryStream(manifest));
        _content["1"] = (ManifestType, () => new MemoryStream(manifest));
        File.Delete(tar);
    }

    /// <summary>Keeps content under its digest; the descriptor that names it.</summary>
    private async Task<JsonObject> StoreAsync(string type, Func<Stream> open)
    {
        var digest = await DigestAsync(open);
        _content[digest] = (type, open);
        await using var content = open();
        return new JsonObject { ["mediaType"] = type, ["size"] = content.Length, ["digest"] = digest };
    }

    private async Task AnswerAsync(HttpContext context)
    {
        // /v2/, /v2/NAME/manifests/TAG-OR-DIGEST, /v2/NAME/blobs/DIGEST
        var path = context.Request.Path.Value!;
        if (path.TrimEnd('/') == "/v2")
            return;
        if (!_content.TryGetValue(path[(path.LastIndexOf('/') + 1)..], out var content))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        await using var stream = content.Open();
        context.Response.ContentType = content.Type;
        context.Response.ContentLength = stream.Length;
        if (HttpMethods.IsGet(context.Request.Method))
            await stream.CopyToAsync(context.Response.Body, context.RequestAborted);
    }

    private static byte[] JsonBytes(JsonObject json) => System.Text.Encoding.UTF8.GetBytes(json.ToJsonString());

    private static async Task<string> DigestAsync(Func<Stream> open)
    {
        await using var stream = open();
        return "sha256:" + Convert.ToHexStringLower(await SHA256.HashDataAsync(stream));
    }
}
