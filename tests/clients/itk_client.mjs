// ITK, compiled to WebAssembly: shape, affine (turned from ITK's LPS to RAS), sum of the voxels, middle of what is 1.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { readImageNode } from '@itk-wasm/image-io'

const list = process.argv[2]
const manifest = path.join(path.dirname(fileURLToPath(import.meta.url)), 'node_modules/@itk-wasm/image-io/package.json')
console.log(JSON.stringify({ client: 'ITK (@itk-wasm/image-io)', version: JSON.parse(readFileSync(manifest)).version }))

function affineOf (image) {
  const lps = [-1, -1, 1]
  return [0, 1, 2].map(r => [0, 1, 2].map(c => lps[r] * image.direction[r * 3 + c] * image.spacing[c]).concat(lps[r] * image.origin[r]))
}

function measure (shape, affine, data) {
  let sum = 0
  let count = 0
  const middle = [0, 0, 0]
  for (let n = 0; n < data.length; n++) {
    sum += data[n]
    if (data[n] !== 1) continue
    const at = [n % shape[0], Math.floor(n / shape[0]) % shape[1], Math.floor(n / shape[0] / shape[1]), 1]
    count++
    for (let r = 0; r < 3; r++) for (let c = 0; c < 4; c++) middle[r] += affine[r][c] * at[c]
  }
  return { sum, landmark_mm: middle.map(x => x / count) }
}

for (const row of JSON.parse(readFileSync(list))) {
  try {
    const image = await readImageNode(path.join(path.dirname(list), row.file))
    const shape = Array.from(image.size, Number)
    const affine = affineOf(image)
    console.log(JSON.stringify({ file: row.file, shape, affine, ...measure(shape, affine, image.data) }))
  } catch (error) {
    console.log(JSON.stringify({ file: row.file, refused: String(error.message ?? error).slice(0, 200) }))
  }
}
