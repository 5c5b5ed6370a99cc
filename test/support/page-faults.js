// Runs in a page of the console: what a reader with other eyes or hands would stumble over, one line each.
;(() => {
  const found = []
  const all = (selector) => [...document.querySelectorAll(selector)]
  if (document.documentElement.lang !== 'en') found.push('the language is not said')
  if (document.documentElement.scrollWidth > innerWidth) found.push('it scrolls sideways')
  if (all('h1').length !== 1) found.push('there is not one h1')
  for (const table of all('table')) {
    if ((table.querySelector('caption')?.textContent ?? '').trim() === '') found.push('a table without a caption')
    for (const head of table.querySelectorAll('th')) if (head.scope === '') found.push(`no scope: ${head.textContent}`)
  }
  for (const input of document.querySelectorAll('input'))
    if (!input.hidden && (input.labels?.length ?? 0) === 0) found.push(`no label: ${input.name}`)
  for (const meter of all('meter')) if (meter.getAttribute('aria-label') === null) found.push('a meter without a name')
  for (const element of all('body *')) {
    const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim() !== '')
    if (!text || element.matches('.skip, thead *, meter')) continue
    const box = element.getBoundingClientRect()
    const frame = element.closest('tbody tr, form, header')?.getBoundingClientRect().right ?? innerWidth
    if (box.right > frame + 1) found.push(`cut off: ${element.textContent}`)
    const ratio = contrast(getComputedStyle(element).color, groundOf(element))
    if (ratio < 4.5) found.push(`${ratio.toFixed(1)} to 1: ${element.textContent}`)
  }
  return found

  function groundOf(element) {
    const own = element === null ? 'rgb(255, 255, 255)' : getComputedStyle(element).backgroundColor
    return own === 'rgba(0, 0, 0, 0)' ? groundOf(element.parentElement) : own
  }
  /** WCAG 2.2, 1.4.3. */
  function contrast(a, b) {
    const [light = 1, dark = 1] = [luminance(a), luminance(b)].toSorted((x, y) => y - x)
    return (light + 0.05) / (dark + 0.05)
  }
  function luminance(color) {
    const [red = 0, green = 0, blue = 0] = (color.match(/[\d.]+/g) ?? []).map((part) => {
      const share = Number(part) / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
})()
