using Holdfast.Functional.Tests.Dev;
using Holdfast.Testing;
using Microsoft.AspNetCore.Builder;

namespace Holdfast.Functional.Tests.Container;

/// <summary>
/// A stand-in for aspnet:10.0-noble-chiseled where no image can be pulled: the files of the same packages, fetched by debootstrap from Debian,
/// and the .NET runtime that runs this test. As in that image, nothing else is in it: no shell, no package manager, no user but by number.
/// </summary>
internal static class BaseImage
{
    /// <summary>Debian's names for what runtime-deps:10.0-noble-chiseled is cut from (base-files, ca-certificates, libc6, libgcc-s1, libssl3t64, libstdc++6).</summary>
    private static readonly string[] Packages = ["base-files", "ca-certificates", "libc6", "libgcc-s1", "libssl3", "libstdc++6"];

    private const string Suite = "bookworm";

    /// <summary>Kept from run to run. Never run in: images are copies.</summary>
    private static readonly string Cache = Path.Combine(Repository.Root, "artifacts", "container", $"{Suite}-{string.Join('-', Packages)}");

    /// <summary>Makes the root file system of an image: the cached packages, copied, and the runtime.</summary>
    public static async Task MakeAsync(string root)
    {
        if (!Directory.Exists(Cache))
            await FetchAsync();
        await ShellCommand.RunAsync("cp -a \"$1\" \"$2\"", [Cache, root]);

        var framework = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        var aspNet = Path.GetDirectoryName(typeof(WebApplication).Assembly.Location)!;
        await ShellCommand.RunAsync(
            """
            mkdir -p "$3/usr/share/dotnet/shared"
            cp -a "$4/dotnet" "$4/host" "$3/usr/share/dotnet/"
            for framework in "$1" "$2"; do
              target=$3/usr/share/dotnet/shared/$(basename "$(dirname "$framework")")
              mkdir -p "$target"
              cp -a "$framework" "$target/"
            done
            ln -s /usr/share/dotnet/dotnet "$3/usr/bin/dotnet"
            """,
            [framework, aspNet, root, Path.GetFullPath(Path.Combine(framework, "..", "..", ".."))]);
    }

    private static async Task FetchAsync()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Cache)!);
        await ShellCommand.RunAsync(
            """
            packages=$3
            trap 'rm -rf "$2.fetched" "$2.new"' EXIT
            rm -rf "$2.fetched" "$2.new"
            mkdir -p "$2.new"
            debootstrap --variant=minbase --download-only --include="$(echo "$packages" | tr ' ' ,)" "$1" "$2.fetched" http://deb.debian.org/debian
            for package in $packages; do
              dpkg-deb --extract "$2.fetched/var/cache/apt/archives/${package}_"*.deb "$2.new"
            done
            mv "$2.new" "$2"
            """,
            [Suite, Cache, string.Join(' ', Packages)]);
    }
}
