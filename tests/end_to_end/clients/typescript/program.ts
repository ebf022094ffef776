// Reads, searches and pages the demo with generated types; prints what it found as JSON.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

declare const process: { argv: string[] };

type Project = components["schemas"]["record.projects"];

const client = createClient<paths>({
  baseUrl: process.argv[2] ?? "",
  querySerializer: { array: { style: "form", explode: false } },
});

async function titlesByPage(): Promise<string[]> {
  const titles: string[] = [];
  let cursor: string | null = null;
  do {
    const query: { limit: number; sort: "title"[]; cursor?: string } = { limit: 20, sort: ["title"] };
    if (cursor !== null) query.cursor = cursor;
    const { data, error } = await client.GET("/api/projects", { params: { query } });
    if (error !== undefined) throw new Error(error.detail);
    titles.push(...data.data.map((item) => item.record.title ?? ""));
    cursor = data.meta.nextCursor;
  } while (cursor !== null);
  return titles;
}

async function firstStage(): Promise<string | undefined> {
  const { data } = await client.GET("/api/projects", {
    params: { query: { stage: "live", fields: ["stage", "links.website"] } },
  });
  return data?.data[0]?.record.stage;
}

async function project(path: string): Promise<Project> {
  const { data, error } = await client.GET("/api/projects/{path}", { params: { path: { path } } });
  if (error !== undefined) throw new Error(error.code);
  return data.data.record;
}

async function sheetsThatTellOf(words: string): Promise<string[]> {
  const { data } = await client.GET("/api/_search", { params: { query: { q: words, limit: 5 } } });
  return (data?.data ?? []).map((hit) => hit.sheet);
}

const one = await project("food-access-map");
const { error } = await client.GET("/api/projects/{path}", { params: { path: { path: "nothing" } } });
const found = {
  titles: await titlesByPage(),
  stage: await firstStage(),
  website: one.links.website.length > 0,
  members: one.members.map((name) => name.toUpperCase()),
  cost: one.monthlyCost * 12,
  sheets: await sheetsThatTellOf("food access"),
  refusal: error?.code,
};
console.log(JSON.stringify(found));
