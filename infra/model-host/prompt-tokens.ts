/**
 * The stand-in's tokenizer: a text is a quarter of its UTF-16 length, rounded up; each message costs 3 more for its
 * role and borders, and a prompt 3 for the answer's opening, as OpenAI documents for its chat format. Parts that are
 * not text cost 16, tool definitions a quarter of their JSON. It never exceeds the request's bytes: a gateway that
 * reserves by bytes may rely on that, as it may with a byte-pair tokenizer.
 */
export function countPromptTokens(prompt: {
  texts: readonly string[]
  messages: number
  otherParts: number
  bytes: number
}): number {
  let tokens = prompt.messages * 3 + 3 + prompt.otherParts * 16
  for (const text of prompt.texts) tokens += Math.ceil(text.length / 4)
  return Math.min(tokens, prompt.bytes)
}
