// Takes a picture of the playground at work: node picture.mjs FOVEA PICTURE CHROMIUM OUT.
import { chromium } from "playwright-core";
import { idle, serve } from "./server.mjs";

const [fovea, picture, executablePath, path] = process.argv.slice(2);
const server = await serve(fovea), browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const p = await browser.newPage({ viewport: { width: 1480, height: 860 }, colorScheme: "light" });
p.setDefaultTimeout(120000);
await p.goto(server.url);
await p.waitForSelector(".chip");
await p.setInputFiles("#file", picture);
await p.waitForFunction(() => !document.querySelector("#views").hidden);
await idle(p);
for (const [i, question] of ["How many people are there?", "What colour is the heart?"].entries()) {
  await p.fill("#question", question);
  await p.keyboard.press("Enter");
  await p.waitForFunction((n) => document.querySelectorAll(".turn.bot:not(.busy)").length === n, i + 1);
}
await p.evaluate(() => document.activeElement.blur());
await p.waitForTimeout(300);
await p.screenshot({ path });
await browser.close();
await server.stop();
