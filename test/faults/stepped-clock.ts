// Loaded before a gateway process: its wall clock can be stepped by a message of its parent. What reads the time of day
// (Date, in our code and in every library) is stepped; timers and the monotonic clock go on, as they do when an
// administrator or NTP steps a real clock. PostgreSQL's clock is not touched by it.
const RealDate = Date
let stepMs = 0

globalThis.Date = new Proxy(RealDate, {
  construct: (_, args: readonly unknown[]) =>
    args.length === 0 ? new RealDate(now()) : Reflect.construct(RealDate, args),
  get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
})
const now = () => RealDate.now() + stepMs

process.on('message', (message: unknown) => {
  if (typeof message === 'object' && message !== null && 'stepClockMs' in message) stepMs = Number(message.stepClockMs)
})
