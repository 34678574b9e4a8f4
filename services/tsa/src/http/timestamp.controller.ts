import { TooLarge, UnsupportedMediaType } from "@chancery/fault";
import { Body, Controller, Get, Header, Headers, HttpCode, Post } from "@nestjs/common";
import { TimestampAuthority } from "../domain/timestamp-authority.ts";
import { parseTimestampRequestJson } from "../domain/timestamp-request-json.ts";
import { parseTimestampRequest, type TimestampRequest } from "../domain/timestamp-request.ts";

/** Upstream's `--max-request-body-size`. */
const MAX_BODY_BYTES = 1024 * 1024;

/** The timestamp authority at upstream's paths. */
@Controller("api/v1/timestamp")
export class TimestampController {
  constructor(private readonly authority: TimestampAuthority) {}

  @Post()
  @HttpCode(200)
  @Header("Content-Type", "application/timestamp-reply")
  @Header("Cache-Control", "no-store")
  async stamp(@Headers("content-type") contentType: string | undefined, @Body() body: Buffer): Promise<Buffer> {
    const token = await this.authority.stamp(parseRequest(contentType, body));
    return Buffer.from(token.buffer, token.byteOffset, token.byteLength);
  }

  @Get("certchain")
  @Header("Content-Type", "application/pem-certificate-chain")
  @Header("Cache-Control", "public, max-age=86400, immutable")
  chain(): string {
    return this.authority.chainPem;
  }
}

function parseRequest(contentType: string | undefined, body: Buffer): TimestampRequest {
  // Parameters ("; charset=utf-8") mean nothing for either form.
  const mediaType = contentType?.split(";", 1)[0]?.trim().toLowerCase();
  if (mediaType !== "application/timestamp-query" && mediaType !== "application/json") {
    throw new UnsupportedMediaType("Content-Type is not application/timestamp-query or application/json");
  }
  if (body.length > MAX_BODY_BYTES) throw new TooLarge(`timestamp request: longer than ${MAX_BODY_BYTES} bytes`);
  return mediaType === "application/json" ? parseTimestampRequestJson(body) : parseTimestampRequest(body);
}
