/** The forms in which a text is found even when somebody has wrapped it. */
function formsOf(text: string): readonly string[] {
  const base64 = [0, 1, 2].map((shift) =>
    // A text inside another begins at any of three places of base64; its ends are mixed with what stands beside it.
    Buffer.from(' '.repeat(shift) + text)
      .toString('base64')
      .slice(4, -4),
  )
  return [text, Buffer.from(text).toString('hex'), encodeURIComponent(text), ...base64]
}

/** Which secrets a text holds, in any form. */
export function foundIn(text: string, secrets: Readonly<Record<string, string>>): readonly string[] {
  const lower = text.toLowerCase()
  return Object.entries(secrets)
    .filter(([, secret]) => formsOf(secret).some((form) => text.includes(form) || lower.includes(form.toLowerCase())))
    .map(([name]) => name)
}
