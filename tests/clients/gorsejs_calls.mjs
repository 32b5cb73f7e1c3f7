// Every method of gorsejs against a live server; prints one JSON object with what each gave.
import { createRequire } from "node:module";
import { setTimeout } from "node:timers/promises";

const require = createRequire(`${process.argv[2]}/package.json`);
const { Gorse } = require("gorsejs");
const [, , , endpoint, secret] = process.argv;
const client = new Gorse({ endpoint, secret });
const at = "1970-01-01T00:00:00Z";
const told = {};

async function tell(name, call) {
  try {
    told[name] = await call();
  } catch (error) {
    told[name] = { code: error.code, message: error.message };
  }
}

const user = { UserId: "js-u", Labels: ["a"], Comment: "c" };
const item = { ItemId: "js-i", IsHidden: false, Categories: ["js"], Timestamp: at, Labels: { tags: ["js"] }, Comment: "one" };
const row = (type, itemId) => ({ FeedbackType: type, UserId: "js-u", ItemId: itemId, Timestamp: new Date(0), Value: 1, Comment: "" });

await tell("insertUser", () => client.insertUser(user));
await tell("insertUsers", () => client.insertUsers([user, { UserId: "js-v" }]));
await tell("getUser", () => client.getUser("js-u"));
await tell("getUsers", () => client.getUsers({ n: 1 }));
await tell("getUsersNext", () => client.getUsers({ n: 1, Cursor: told.getUsers.Cursor }));
await tell("updateUser", () => client.updateUser("js-u", { Comment: "changed" }));
await tell("upsertItem", () => client.upsertItem(item));
await tell("upsertItems", () => client.upsertItems([item, { ...item, ItemId: "js-j" }]));
await tell("getItem", () => client.getItem("js-i"));
await tell("getItems", () => client.getItems({ n: 1 }));
await tell("updateItem", () => client.updateItem("js-i", { Comment: "two" }));
await tell("insertItemCategory", () => client.insertItemCategory("js-i", "extra"));
await tell("getItemAfter", () => client.getItem("js-i"));
await tell("deleteItemCategory", () => client.deleteItemCategory("js-i", "extra"));
await tell("insertFeedbacks", () => client.insertFeedbacks([row("like", "js-i"), row("read", "js-i")]));
await tell("upsertFeedbacks", () => client.upsertFeedbacks([row("like", "js-i")]));
await tell("getFeedback", () => client.getFeedback({ type: "like", userId: "js-u", itemId: "js-i" }));
await tell("getFeedbacks", () => client.getFeedbacks());
await tell("getFeedbacksOfType", () => client.getFeedbacks("read"));
await tell("getItemFeedback", () => client.getItemFeedback("js-i"));
await tell("getItemFeedbackByType", () => client.getItemFeedbackByType("js-i", "like"));
await tell("getUserFeedback", () => client.getUserFeedback("js-u"));
await tell("getUserFeedbackByType", () => client.getUserFeedbackByType("js-u", "like"));
await tell("getPopular", () => client.getPopular({ category: "js" }));
await tell("getPopularOfAll", () => client.getPopular({}));
await tell("getLatest", () => client.getLatest({ category: "js" }));
for (let left = 1000; left > 0 && !told.getRecommend?.length; left--) {
  if (told.getRecommend) await setTimeout(50); // items inserted a moment ago are taken up in the background
  await tell("getRecommend", () => client.getRecommend({ userId: "js-u", category: "js" }));
}
await tell("getRecommendOfAll", () => client.getRecommend({ userId: "js-u" }));
await tell("getSessionRecommend", () => client.getSessionRecommend([row("like", "js-i")]));
await tell("getItemNeighbors", () => client.getItemNeighbors({ itemId: "js-i" }));
await tell("getUserNeighbors", () => client.getUserNeighbors({ userId: "js-u" }));
await tell("deleteFeedback", () => client.deleteFeedback({ type: "like", userId: "js-u", itemId: "js-i" }));
await tell("deleteItem", () => client.deleteItem("js-i"));
await tell("deleteUser", () => client.deleteUser("js-u"));
await tell("getUserGone", () => client.getUser("js-u"));
told.methods = Object.getOwnPropertyNames(Gorse.prototype).filter((name) => name !== "constructor");
console.log(JSON.stringify(told));
