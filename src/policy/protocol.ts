/** How a model is spoken to: as OpenAI's API, or as a predictor of the Open Inference Protocol V2. */
export const protocols = ['openai', 'open-inference'] as const
export type Protocol = (typeof protocols)[number]
