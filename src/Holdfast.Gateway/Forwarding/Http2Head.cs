using System.Text;
using Holdfast.Gateway.Listeners;
using Holdfast.Relay.Buffers;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Holdfast.Gateway.Forwarding;

/// <summary>Writes an HTTP/2 request as an HTTP/1.1 head, the form in which endpoints get it, and has it judged like one.</summary>
internal static class Http2Head
{
    public static HeadFault Parse(RequestHead head, HttpContext context)
    {
        var request = context.Features.Get<IHttpRequestFeature>()!;
        var bytes = new ByteBuffer();
        Append($"{request.Method} {request.RawTarget} HTTP/1.1\r\n");
        foreach (var (name, values) in request.Headers)
        {
            foreach (var value in values)
                Append($"{name}: {value}\r\n");
        }

        Append("\r\n");
        return head.Parse(bytes.Bytes);

        void Append(string text) => bytes.Append(Encoding.Latin1.GetBytes(text));
    }
}
