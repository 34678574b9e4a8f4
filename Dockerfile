# One image, one program: everything in one process, on an external PostgreSQL.
# Build stage: install what the lockfile says, compile, then keep only what runs.
FROM node:26-bookworm-slim AS build
WORKDIR /build
RUN npm install --global pnpm@12.21.0
COPY package.json pnpm-workspace.yaml pnpm-lock.yaml tsconfig*.json ./
COPY libs libs
COPY services services
RUN pnpm install --frozen-lockfile && pnpm exec tsc -b && node services/explorer/build.mjs \
 && pnpm --filter @chancery/chancery deploy --prod --legacy /app

FROM node:26-bookworm-slim
# The keys and the anchor live in /data: a volume that is never restored from a backup without reading why (ARCHITECTURE.md).
ENV NODE_ENV=production CHANCERY_HOST=0.0.0.0 CHANCERY_DATA=/data
# A volume that is mounted at /anchor (CHANCERY_ANCHOR) belongs to this user too.
RUN install --directory --owner=65532 --group=65532 --mode=0700 /data /anchor
COPY --from=build /app /app
USER 65532:65532
VOLUME /data
EXPOSE 8700
# SIGTERM drains; Docker's ten seconds are enough for it.
ENTRYPOINT ["node", "/app/dist/main.js"]
CMD ["serve"]
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8700/readyz').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
