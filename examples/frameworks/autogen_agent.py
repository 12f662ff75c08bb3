"""An AutoGen agent whose tools and model are Lockgate's. Usage: autogen_agent.py QUESTION"""

import asyncio
import os
import sys

from autogen_agentchat.agents import AssistantAgent
from autogen_ext.models.openai import OpenAIChatCompletionClient
from autogen_ext.tools.mcp import StreamableHttpServerParams, mcp_server_tools


async def main(question):
    headers = {"Authorization": f"Bearer {os.environ['LOCKGATE_AGENT_TOKEN']}"}
    tools = await mcp_server_tools(StreamableHttpServerParams(url=f"{os.environ['LOCKGATE_EGRESS']}/mcp/files", headers=headers))
    # The model is Lockgate's too: OPENAI_BASE_URL says where, OPENAI_API_KEY is the agent's token.
    info = {"vision": False, "function_calling": True, "json_output": False, "structured_output": False, "family": "unknown"}
    model = OpenAIChatCompletionClient(model=os.environ["MODEL"], model_info=info)
    agent = AssistantAgent("clerk", model, tools=tools, max_tool_iterations=10, reflect_on_tool_use=True)
    done = await agent.run(task=question)
    print("offered:", ", ".join(sorted(tool.name for tool in tools)))
    print(done.messages[-1].content)


asyncio.run(main(sys.argv[1]))
