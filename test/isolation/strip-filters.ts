import {
  BinaryOperationNode,
  ColumnNode,
  OperationNodeTransformer,
  OperatorNode,
  RawNode,
  ReferenceNode,
  type KyselyPlugin,
  type OperationNode,
} from 'kysely'
import type { Database } from '../../src/db/index.ts'

/** Takes every comparison with a tenant_id out of a query, as somebody who edits a store might do by mistake. */
class FilterStripper extends OperationNodeTransformer {
  count = 0

  protected override transformBinaryOperation(node: BinaryOperationNode): BinaryOperationNode {
    if (!isTenantId(node.leftOperand) && !isTenantId(node.rightOperand)) return super.transformBinaryOperation(node)
    this.count++
    const one = RawNode.createWithSql('1')
    return BinaryOperationNode.create(one, OperatorNode.create('='), one)
  }
}

const isTenantId = (node: OperationNode): boolean =>
  ReferenceNode.is(node) && ColumnNode.is(node.column) && node.column.column.name === 'tenant_id'

/** The same database for somebody whose queries have lost their filters, and how many they have lost. */
export function withoutFilters(database: Database): { readonly database: Database; stripped(): number } {
  const stripper = new FilterStripper()
  const plugin: KyselyPlugin = {
    transformQuery: ({ node, queryId }) => stripper.transformNode(node, queryId),
    transformResult: ({ result }) => Promise.resolve(result),
  }
  return {
    database: {
      ...database,
      tenantKysely: database.tenantKysely.withPlugin(plugin),
      systemKysely: database.systemKysely.withPlugin(plugin),
    },
    stripped: () => stripper.count,
  }
}
