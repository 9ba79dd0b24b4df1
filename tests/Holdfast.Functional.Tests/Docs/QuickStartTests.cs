using System.Globalization;
using Holdfast.Api.Configuration;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Gateway.Hosting;
using Holdfast.Testing;
using Microsoft.Extensions.Logging;

namespace Holdfast.Functional.Tests.Docs;

/// <summary>The samples of the quick starts, behind a gateway configured as their pages say, live a pod's last minutes.</summary>
public sealed class QuickStartTests : IDisposable
{
    /// <summary>The interpreter that Debian's packages belong to; another one may come first on the PATH.</summary>
    private const string Python = "/usr/bin/python3";

    private const string AioHttp = "/usr/lib/python3/dist-packages/aiohttp";

    private static readonly TimeSpan ExitPatience = TimeSpan.FromSeconds(30);

    private readonly string _folder = Directory.CreateTempSubdirectory("holdfast-quick-start-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_node_server_keeps_its_sockets_on_SIGTERM_and_ends_with_the_last()
    {
        await NodeParts.RequireAsync();
        await SaveAsync("server.js", "docs/quick-start-node.md", "js");
        File.CreateSymbolicLink(Path.Combine(_folder, "node_modules"), NodeParts.Modules);
        await using var server = await SampleServer.StartAsync(_folder, "node", "server.js");
        await LeaveInOrderAsync(server, "docs/quick-start-node.md", acceptsWhileLeaving: true);
    }

    [Fact]
    public async Task The_python_server_keeps_its_sockets_on_SIGTERM_and_ends_with_the_last()
    {
        if (Requires.Package("python3-aiohttp", AioHttp) is { } missing)
            Assert.Skip(missing);
        await SaveAsync("server.py", "docs/quick-start-python.md", "python");
        await using var server = await SampleServer.StartAsync(_folder, Python, "server.py");
        await LeaveInOrderAsync(server, "docs/quick-start-python.md", acceptsWhileLeaving: true);
    }

    [Fact]
    public async Task The_dotnet_server_keeps_its_sockets_on_SIGTERM_and_ends_with_the_last()
    {
        await SaveAsync("Program.cs", "docs/quick-start-dotnet.md", "csharp");
        // As `dotnet new web` makes it.
        await File.WriteAllTextAsync(
            Path.Combine(_folder, "app.csproj"),
            """
            <Project Sdk="Microsoft.NET.Sdk.Web">
              <PropertyGroup>
                <TargetFramework>net10.0</TargetFramework>
                <Nullable>enable</Nullable>
                <ImplicitUsings>enable</ImplicitUsings>
              </PropertyGroup>
            </Project>
            """,
            TestContext.Current.CancellationToken);
        await ShellCommand.RunAsync("cd \"$1\"; dotnet build -warnaserror", [_folder], ShellCommand.BuildEnvironment);
        await using var server = await SampleServer.StartAsync(_folder, "dotnet", "bin/Debug/net10.0/app.dll");
        await LeaveInOrderAsync(server, "docs/quick-start-dotnet.md", acceptsWhileLeaving: false);
    }

    private Task SaveAsync(string file, string page, string language) => File.WriteAllTextAsync(Path.Combine(_folder, file), CodeBlock.Only(page, language).Text);

    private static async Task LeaveInOrderAsync(SampleServer server, string page, bool acceptsWhileLeaving)
    {
        await using var gateway = await StartGatewayAsync(page, server.Port);
        using var first = RawPeer.Connect(gateway.Addresses[0]);
        Assert.Equal(101, Upgrades.Status(first.Upgrade()));
        Echo(first, "before");

        server.Terminate();
        await server.UntilHealthIsAsync(acceptsWhileLeaving ? [503] : [503, 0]);
        Echo(first, "leaving");
        if (acceptsWhileLeaving)
        {
            using var late = RawPeer.Connect(gateway.Addresses[0]);
            Assert.Equal(101, Upgrades.Status(late.Upgrade()));
            Echo(late, "late");
            Close(late);
        }

        Assert.False(server.Exited.IsCompleted);
        Echo(first, "still");
        Close(first);
        Assert.Equal(0, await server.Exited.WaitAsync(ExitPatience, TestContext.Current.CancellationToken));
    }

    private static Task<GatewayHost> StartGatewayAsync(string page, int port)
    {
        var shown = CodeBlock.Only(page, "yaml").Text;
        const string Dns = "dns: {name: app, port: 8080}";
        Assert.Contains(Dns, shown, StringComparison.Ordinal);
        var read = ConfigurationReader.Read(
            "listeners: [{name: web, address: \"127.0.0.1:0\"}]\nadmin: {address: \"127.0.0.1:0\"}\nshutdown: {delay: 0s, duration: 0s}\n"
            + shown.Replace(Dns, string.Create(CultureInfo.InvariantCulture, $"endpoints: [\"127.0.0.1:{port}\"]"), StringComparison.Ordinal),
            page);
        Assert.Empty(read.Faults);
        return GatewayHost.StartAsync(read.Configuration!, new GatewayHostOptions { Loops = 1, LogLevel = LogLevel.Error });
    }

    private static void Echo(RawPeer client, string text)
    {
        client.Send(Frames.FromClient(Frames.Text, System.Text.Encoding.ASCII.GetBytes(text)));
        Assert.Equal(text, System.Text.Encoding.ASCII.GetString(client.ReceiveFrame().Payload));
    }

    private static void Close(RawPeer client)
    {
        client.Send(Frames.CloseFrame(client: true, 1000));
        Assert.Equal(Frames.Close, client.ReceiveFrame().Opcode);
        Assert.Empty(client.ReceiveToEnd());
    }
}
