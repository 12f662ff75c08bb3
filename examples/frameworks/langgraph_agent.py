"""A LangChain agent (a LangGraph underneath) whose tools and model are Lockgate's. Usage: langgraph_agent.py QUESTION"""

import asyncio
import os
import sys

from langchain.agents import create_agent
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_openai import ChatOpenAI


async def main(question):
    headers = {"Authorization": f"Bearer {os.environ['LOCKGATE_AGENT_TOKEN']}"}
    files = {"transport": "streamable_http", "url": f"{os.environ['LOCKGATE_EGRESS']}/mcp/files", "headers": headers}
    tools = await MultiServerMCPClient({"files": files}).get_tools()
    # The model is Lockgate's too: OPENAI_BASE_URL says where, OPENAI_API_KEY is the agent's token.
    agent = create_agent(ChatOpenAI(model=os.environ["MODEL"]), tools)
    done = await agent.ainvoke({"messages": [("user", question)]})
    print("offered:", ", ".join(sorted(tool.name for tool in tools)))
    print(done["messages"][-1].text)


asyncio.run(main(sys.argv[1]))
