using Microsoft.Extensions.Logging.Console;
using Showcase.Chat;
using Showcase.Hosting;

System.Net.IPEndPoint listen;
try
{
    listen = ListenAddress.FromEnvironment(Environment.GetEnvironmentVariable);
}
catch (FormatException fault)
{
    await Console.Error.WriteLineAsync("showcase: " + fault.Message);
    return 2;
}

var builder = WebApplication.CreateSlimBuilder(args);
builder.Logging.SetMinimumLevel(LogLevel.Warning);
builder.Logging.AddSimpleConsole(o => { o.SingleLine = true; o.ColorBehavior = LoggerColorBehavior.Disabled; });
builder.WebHost.ConfigureKestrel(o =>
{
    o.AddServerHeader = false;
    o.Listen(listen);
});
builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromSeconds(4));
builder.Services.AddSingleton(TimeProvider.System);
builder.Services.AddSingleton(s => Replica.FromEnvironment(Environment.GetEnvironmentVariable, listen, s.GetRequiredService<TimeProvider>()));
builder.Services.AddChat();

var app = builder.Build();
app.UseWebSockets(new WebSocketOptions { KeepAliveInterval = TimeSpan.FromSeconds(20), KeepAliveTimeout = TimeSpan.FromSeconds(20) });
app.MapGet("/healthz", () => TypedResults.Text("ok\n"));
app.MapChat();

try
{
    await app.StartAsync();
}
catch (IOException fault)
{
    await Console.Error.WriteLineAsync("showcase: " + fault.Message);
    return 3;
}

await Console.Out.WriteLineAsync($"showcase: {app.Services.GetRequiredService<Replica>().Name} listens on http://{listen}");
await app.WaitForShutdownAsync();
return 0;
