using System.Text.Json.Nodes;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Container;

/// <summary>An image, unpacked.</summary>
/// <param name="Root">Its files; belongs to the image alone.</param>
internal sealed record Image(string Root, ImageConfiguration Configuration)
{
    public string Entrypoint => Root + Configuration.Entrypoint;

    /// <summary>The application's files.</summary>
    public IReadOnlyList<string> Application => [.. Directory.GetFileSystemEntries(Root + Configuration.WorkingDirectory).Order(StringComparer.Ordinal)];
}

/// <summary>Builds the gateway's image in both of its ways, once for all tests of a class, which run one after the other.</summary>
public sealed class Images : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("holdfast-images-").FullName;
    private Task<string>? _base;
    private Task<Image>? _ofContainerfile;
    private Task<Image>? _ofSdk;

    internal Containerfile Containerfile { get; } = Containerfile.Parse(Repository.Read("deploy", "container", "Containerfile"));

    internal Task<Image> OfContainerfileAsync() => _ofContainerfile ??= FollowContainerfileAsync();

    internal Task<Image> OfSdkAsync() => _ofSdk ??= PublishAsync();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Skips the test where an image cannot be made or run.</summary>
    internal static void Require()
    {
        foreach (var missing in (string?[])[Requires.Tool("debootstrap"), Requires.Tool("unshare"), Requires.Root()])
        {
            if (missing is not null)
                Assert.Skip(missing);
        }
    }

    private Task<string> BaseAsync() => _base ??= MakeBaseAsync();

    private async Task<string> MakeBaseAsync()
    {
        var root = Path.Combine(_folder, "base");
        await BaseImage.MakeAsync(root);
        return root;
    }

    /// <summary>Does what the Containerfile says: the build stage in a folder that holds only what it copies, and the last stage on the base.</summary>
    private async Task<Image> FollowContainerfileAsync()
    {
        var (source, output, root) = (Path.Combine(_folder, "src"), Path.Combine(_folder, "out"), Path.Combine(_folder, "of-containerfile"));
        var build = Containerfile.Stages[0];
        foreach (var copy in build.Where(i => i.Keyword == "COPY"))
        {
            foreach (var what in copy.Words.SkipLast(1))
            {
                // As .dockerignore, without what earlier builds left.
                await ShellCommand.RunAsync(
                    "mkdir -p \"$2\"; tar -C \"$1\" --exclude=bin --exclude=obj --exclude=node_modules -c \"$3\" | tar -C \"$2\" -x",
                    [Repository.Root, source, what.TrimEnd('/')]);
            }
        }

        var run = build.Single(i => i.Keyword == "RUN").Arguments;
        Assert.Contains(" /out ", run + " ", StringComparison.Ordinal);
        var making = BaseAsync();
        await ShellCommand.RunAsync("cd \"$1\"; " + run.Replace(" /out", " \"$2\"", StringComparison.Ordinal), [source, output], ShellCommand.BuildEnvironment);

        await ShellCommand.RunAsync("cp -al \"$1\" \"$2\"; cp -a \"$3\" \"$2/app\"", [await making, root, output]);
        return new Image(root, ImageConfiguration.Read(Containerfile));
    }

    /// <summary>Lets the SDK make the image, on a base that it pulls, and unpacks the result.</summary>
    private async Task<Image> PublishAsync()
    {
        var (folder, root) = (Path.Combine(_folder, "sdk"), Path.Combine(_folder, "of-sdk"));
        Directory.CreateDirectory(folder);
        Directory.CreateDirectory(root);
        await using var registry = await LoopbackRegistry.StartAsync(await BaseAsync(), folder);
        await ShellCommand.RunAsync(
            """
            dotnet publish "$1" --configuration "$2" --no-build -t:PublishContainer -maxcpucount:1 \
              -p:ContainerBaseImage="$3" -p:ContainerArchiveOutputPath="$4/image.tar"
            mkdir "$4/image"
            tar -C "$4/image" -xf "$4/image.tar"
            """,
            [Path.Combine(Repository.Root, "src", "Holdfast.Cli"), Path.GetFileName(Processes.ToolDirectory), $"{registry.Host}/{LoopbackRegistry.Image}", folder],
            new Dictionary<string, string>(ShellCommand.BuildEnvironment, StringComparer.Ordinal)
            {
                ["DOTNET_CONTAINER_INSECURE_REGISTRIES"] = registry.Host,
                ["TMPDIR"] = folder,        // Where the SDK keeps the layers that it pulls.
            });

        var image = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(folder, "image", "manifest.json")))![0]!;
        foreach (var layer in image["Layers"]!.AsArray())
            await ShellCommand.RunAsync("tar -C \"$1\" -xf \"$2\"", [root, Path.Combine(folder, "image", (string)layer!)]);
        var configuration = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(folder, "image", (string)image["Config"]!)))!;
        Directory.Delete(folder, recursive: true);
        return new Image(root, ImageConfiguration.Read(configuration));
    }
}
