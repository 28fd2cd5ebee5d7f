// NiiVue in headless Chromium: what its NVImage makes of the files, read over HTTP from this machine.
import { createServer } from 'node:http'
import { readFileSync, existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const [list, executablePath, profile] = process.argv.slice(2)
const folder = path.dirname(list)
const root = path.join(path.dirname(fileURLToPath(import.meta.url)), 'node_modules/@niivue/niivue')
const dist = path.join(root, 'dist')
const entry = 'index.js' // all in one module
console.log(JSON.stringify({ client: 'NiiVue', version: JSON.parse(readFileSync(path.join(root, 'package.json'))).version }))

const server = createServer((request, response) => {
  const url = decodeURIComponent(request.url)
  if (url === '/') {
    response.setHeader('content-type', 'text/html')
    response.end('<!doctype html><title>niivue</title>')
    return
  }
  const file = url.startsWith('/dist/') ? path.join(dist, url.slice(6)) : path.join(folder, url.slice(7))
  if (!existsSync(file)) {
    response.statusCode = 404
    response.end()
    return
  }
  if (file.endsWith('.js')) response.setHeader('content-type', 'text/javascript')
  response.end(readFileSync(file))
})
await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
const address = `http://127.0.0.1:${server.address().port}`

const browser = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
    '--disable-sync']
})
const page = await browser.newPage()
await page.goto(address)
for (const row of JSON.parse(readFileSync(list))) {
  const result = await page.evaluate(async ({ url, name, entry }) => {
    const { NVImage } = await import(`/dist/${entry}`)
    const image = await NVImage.loadFromUrl({ url, name })
    const shape = Array.from(image.hdr.dims.slice(1, 4))
    const affine = image.hdr.affine.slice(0, 3).map(r => Array.from(r))
    let sum = 0
    let count = 0
    const middle = [0, 0, 0]
    for (let n = 0; n < image.img.length; n++) {
      sum += image.img[n]
      if (image.img[n] !== 1) continue
      const at = [n % shape[0], Math.floor(n / shape[0]) % shape[1], Math.floor(n / shape[0] / shape[1]), 1]
      count++
      for (let r = 0; r < 3; r++) for (let c = 0; c < 4; c++) middle[r] += affine[r][c] * at[c]
    }
    return { shape, affine, sum, landmark_mm: middle.map(x => x / count) }
  }, { url: `${address}/files/${row.file}`, name: path.basename(row.file), entry }).catch(error => ({ refused: String(error.message).slice(0, 200) }))
  console.log(JSON.stringify({ file: row.file, ...result }))
}
await browser.close()
server.close()
